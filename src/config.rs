//! Every setting of the server: what was typed ([`Cli`], [`Settings`]) and what it means ([`Config`]).
//!
//! The only file that reads the environment. A [`Config`] is made by hand in tests.

mod ai;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, bail, ensure};
use axum::http::Uri;
use clap::{Args, Parser, Subcommand};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

pub use self::ai::{Ai, AiSettings, Budget, ModelSettings, Prices};
use crate::address::Proxies;
use crate::ids::DocumentId;
use crate::limits;
use crate::public_url;
pub use crate::public_url::{PublicUrl, is_loopback_name};
use crate::rate::{Allowed, Rate};

/// What a folder's name may hold, but an address takes for something else.
const NOT_IN_ADDRESS: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#');

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "coterie", version, about)]
pub struct Cli {
    /// What to do; nothing means `serve`.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings, the same for every command.
    #[command(flatten)]
    pub settings: Settings,
}

/// What the binary can do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run the server (the default).
    Serve,
    /// After a backup was restored: give every document a new epoch, so that what browsers kept from before is
    /// offered as a copy instead of being merged in.
    NewEpoch,
    /// Sign in to a server at this terminal, by a code that is typed into a browser anywhere. An API key is kept for it.
    Login {
        /// The server's address.
        #[arg(long, env = "COTERIE_SERVER", value_name = "URL", default_value = "http://localhost:3000")]
        server: String,
    },
    /// Sign out of a server at this terminal; its key is ended.
    Logout {
        /// The server's address.
        #[arg(long, env = "COTERIE_SERVER", value_name = "URL", default_value = "http://localhost:3000")]
        server: String,
    },
    /// Check everything stored: heads, rows, snapshots, checksums, owners. Mends nothing.
    Doctor,
    /// Look at documents whose text cannot be had, and set them aside or take them back.
    Documents {
        /// What to do with them.
        #[command(subcommand)]
        action: DocumentsAction,
    },
}

/// What `coterie documents` can do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum DocumentsAction {
    /// List the documents that cost a worker, and those set aside.
    Inspect,
    /// Set a document's text functions aside; it goes on syncing.
    Quarantine {
        /// Its id.
        document: DocumentId,
        /// Why, shown to who asks for its text.
        #[arg(long, default_value = "set aside by an operator")]
        reason: String,
    },
    /// Take a document's text functions back.
    Release {
        /// Its id.
        document: DocumentId,
    },
}

/// Settings as typed, each a flag and an environment variable. An empty value counts as not set.
#[derive(Debug, Clone, Default, Args)]
pub struct Settings {
    /// Address and port to listen on [default: 127.0.0.1:3000].
    #[arg(long, env = "COTERIE_LISTEN", value_name = "ADDRESS:PORT", global = true)]
    pub listen: Option<String>,
    /// Address people open in their browser, such as `https://coterie.example.com`. Needed when it is not the
    /// listening address: behind a proxy, or when listening on all interfaces.
    #[arg(long, env = "COTERIE_PUBLIC_URL", value_name = "URL", global = true)]
    pub public_url: Option<String>,
    /// Other sites whose pages may use the HTTP interface with a token of theirs: origins with commas between, such as
    /// `https://app.example.com` [default: none].
    #[arg(long, env = "COTERIE_ORIGINS", value_name = "ORIGINS", global = true)]
    pub origins: Option<String>,
    /// Folder for the server's files, created when absent [default: ./data].
    #[arg(long, env = "COTERIE_DATA_DIR", value_name = "FOLDER", global = true)]
    pub data_dir: Option<PathBuf>,
    /// Database: `sqlite://path` or `postgres://user:password@host/name` [default: sqlite://{data dir}/coterie.db].
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true, global = true)]
    pub database_url: Option<String>,
    /// Whether people may come in by just giving a name: auto (only on loopback and without GitHub), on or off
    /// [default: auto].
    #[arg(long, env = "COTERIE_GUESTS", value_name = "auto|on|off", global = true)]
    pub guests: Option<String>,
    /// Proxies in front whose `X-Forwarded-For` is believed: addresses and networks with commas between, such as
    /// `127.0.0.1, 10.0.0.0/8` [default: none].
    #[arg(long, env = "COTERIE_TRUSTED_PROXIES", value_name = "NETWORKS", global = true)]
    pub trusted_proxies: Option<String>,
    /// Connections that one address may have open [default: 1000].
    #[arg(long, env = "COTERIE_CONNECTIONS_PER_ADDRESS", value_name = "NUMBER", global = true)]
    pub connections_per_address: Option<String>,
    /// Client id of the GitHub OAuth app by which people sign in; its callback is `{public url}/auth/github/callback`.
    #[arg(long, env = "GITHUB_CLIENT_ID", value_name = "ID", global = true)]
    pub github_client_id: Option<String>,
    /// Client secret of the GitHub OAuth app.
    #[arg(long, env = "GITHUB_CLIENT_SECRET", value_name = "SECRET", hide_env_values = true, global = true)]
    pub github_client_secret: Option<String>,
    /// Where people sign in with GitHub [default: `https://github.com`].
    #[arg(long, env = "GITHUB_URL", value_name = "URL", global = true)]
    pub github_url: Option<String>,
    /// GitHub's API; of GitHub Enterprise it is `{its address}/api/v3` [default: `https://api.github.com`].
    #[arg(long, env = "GITHUB_API_URL", value_name = "URL", global = true)]
    pub github_api_url: Option<String>,
    /// Operators of the server: GitHub logins or numeric ids, separated by commas [default: who signs in first].
    #[arg(long, env = "COTERIE_ADMINS", value_name = "LOGIN,…", global = true)]
    pub admins: Option<String>,
    /// Requests of one user, a second for long and at once [default: 20/200].
    #[arg(long, env = "COTERIE_USER_RATE", value_name = "SECOND/ONCE", global = true)]
    pub user_rate: Option<String>,
    /// Requests of one address, a second for long and at once [default: 100/1000].
    #[arg(long, env = "COTERIE_ADDRESS_RATE", value_name = "SECOND/ONCE", global = true)]
    pub address_rate: Option<String>,
    /// Requests to one project, a second for long and at once [default: 200/2000].
    #[arg(long, env = "COTERIE_PROJECT_RATE", value_name = "SECOND/ONCE", global = true)]
    pub project_rate: Option<String>,
    /// The assistant's.
    #[command(flatten)]
    pub ai: AiSettings,
    /// DSN of a Sentry project to which errors and panics are reported; without secrets, addresses and what people wrote.
    #[arg(long, env = "SENTRY_DSN", value_name = "DSN", hide_env_values = true, global = true)]
    pub sentry_dsn: Option<String>,
    /// How log lines look: text or json [default: text].
    #[arg(long, env = "COTERIE_LOG_FORMAT", value_name = "text|json", global = true)]
    pub log_format: Option<String>,
    /// Bytes that all documents of a project may take, unless an operator allows it another number [default: 1073741824].
    #[arg(long, env = "COTERIE_DOCUMENT_BYTES", value_name = "BYTES", global = true)]
    pub document_bytes: Option<String>,
    /// Bytes that open documents may keep in memory before those are closed that nobody is in, longest unused first
    /// [default: 536870912].
    #[arg(long, env = "COTERIE_ROOM_BYTES", value_name = "BYTES", global = true)]
    pub room_bytes: Option<String>,
    /// Bytes of documents that all workers may keep in memory for the next request about their text [default: 268435456].
    #[arg(long, env = "COTERIE_WORKER_BYTES", value_name = "BYTES", global = true)]
    pub worker_bytes: Option<String>,
    /// Open sockets that one user may have [default: 500].
    #[arg(long, env = "COTERIE_SOCKETS_PER_USER", value_name = "NUMBER", global = true)]
    pub sockets_per_user: Option<String>,
    /// Projects that one user may have made, those among them that can be restored [default: 1000].
    #[arg(long, env = "COTERIE_PROJECTS_PER_USER", value_name = "NUMBER", global = true)]
    pub projects_per_user: Option<String>,
    /// Whether a server without any project begins with one that shows what can be done, and prints the link to it: on
    /// or off [default: off].
    #[arg(
        long, env = "COTERIE_DEMO", value_name = "on|off", num_args = 0..=1, require_equals = true,
        default_missing_value = "on", global = true
    )]
    pub demo: Option<String>,
    /// What is logged, such as `info` or `info,coterie=debug`.
    #[arg(long, env = "RUST_LOG", value_name = "FILTER", global = true)]
    pub log: Option<String>,
}

/// The settings of one server.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The address people open, when it differs from the listening address.
    pub public_url: Option<PublicUrl>,
    /// Other sites whose pages may use the HTTP interface.
    pub origins: Vec<PublicUrl>,
    /// Where its files are.
    pub data_dir: PathBuf,
    /// Where its database is.
    pub database_url: String,
    /// Who may come in with just a name.
    pub guests: Guests,
    /// Whose word is taken for whom they ask.
    pub trusted_proxies: Proxies,
    /// Connections that one address may have open, but for the machine itself.
    pub connections_per_address: usize,
    /// The GitHub OAuth app by which people sign in, if there is one.
    pub github: Option<GithubApp>,
    /// Operators, as GitHub logins or numeric ids; empty for whoever signs in first.
    pub admins: Vec<String>,
    /// The models that the assistant asks, and how much.
    pub ai: Ai,
    /// How often one may ask.
    pub rates: Allowed,
    /// What all documents of a project may take, in bytes.
    pub document_bytes: i64,
    /// What rooms may keep in memory, in bytes, before those end that nobody is in. A room with people in it stays, so where
    /// those alone keep more, each ends as soon as its last one has left.
    pub room_bytes: usize,
    /// What all workers may keep of documents between requests, in bytes.
    pub worker_bytes: usize,
    /// Open sockets that one user may have.
    pub sockets_per_user: usize,
    /// Projects that one user may have made.
    pub projects_per_user: i64,
    /// Whether a server without any project begins with one that shows what can be done.
    pub demo: bool,
    /// The server's own binary, which is also that of its workers. Not a setting; tests run in another one.
    pub program: PathBuf,
}

/// Who may sign in as a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guests {
    /// Everyone, while the server can only be reached from its own machine and nobody can sign in with GitHub.
    Auto,
    /// Everyone.
    On,
    /// Nobody.
    Off,
}

/// A GitHub OAuth app.
#[derive(Clone, PartialEq, Eq)]
pub struct GithubApp {
    /// What it is called.
    pub client_id: String,
    /// By which it is known to be itself.
    pub client_secret: String,
    /// Where people sign in, without a slash at the end.
    pub url: String,
    /// Where the API is, without a slash at the end.
    pub api_url: String,
}

impl fmt::Debug for GithubApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GithubApp").field("client_id", &self.client_id).field("url", &self.url).finish_non_exhaustive()
    }
}

impl Config {
    /// A server on the given database that listens on a free loopback port: what tests start from.
    #[must_use]
    pub fn local(data_dir: PathBuf, database_url: String) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            public_url: None,
            origins: Vec::new(),
            data_dir,
            database_url,
            guests: Guests::Auto,
            trusted_proxies: Proxies::default(),
            connections_per_address: limits::CONNECTIONS_PER_ADDRESS,
            github: None,
            admins: Vec::new(),
            ai: Ai::default(),
            rates: Allowed {
                user: Rate::new(limits::USER_RATE),
                address: Rate::new(limits::ADDRESS_RATE),
                project: Rate::new(limits::PROJECT_RATE),
            },
            document_bytes: limits::DOCUMENTS_BYTES,
            room_bytes: limits::ROOMS_BYTES,
            worker_bytes: limits::WORKERS_BYTES,
            sockets_per_user: limits::SOCKETS_PER_USER,
            projects_per_user: limits::PROJECTS_PER_USER,
            demo: false,
            program: PathBuf::from("coterie"),
        }
    }
}

impl TryFrom<Settings> for Config {
    type Error = anyhow::Error;

    fn try_from(settings: Settings) -> anyhow::Result<Self> {
        let given = |value: Option<String>| value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let data_dir =
            settings.data_dir.filter(|path| !path.as_os_str().is_empty()).unwrap_or_else(|| PathBuf::from("data"));
        let database_url = match given(settings.database_url) {
            Some(url) => url,
            None => {
                let folder = data_dir.to_str().context("COTERIE_DATA_DIR must be valid UTF-8")?;
                format!("sqlite://{}/coterie.db", utf8_percent_encode(folder, NOT_IN_ADDRESS))
            }
        };
        Ok(Self {
            listen: listen_address(given(settings.listen).as_deref().unwrap_or("127.0.0.1:3000"))?,
            public_url: given(settings.public_url).map(|url| url.parse()).transpose()?,
            origins: public_url::origins(given(settings.origins).as_deref().unwrap_or_default())?,
            data_dir,
            database_url,
            guests: given(settings.guests).as_deref().unwrap_or("auto").parse()?,
            trusted_proxies: given(settings.trusted_proxies).as_deref().unwrap_or_default().parse()?,
            connections_per_address: number(
                "COTERIE_CONNECTIONS_PER_ADDRESS",
                given(settings.connections_per_address),
                limits::CONNECTIONS_PER_ADDRESS,
            )?,
            github: github_app(
                given(settings.github_client_id),
                given(settings.github_client_secret),
                given(settings.github_url),
                given(settings.github_api_url),
            )?,
            admins: given(settings.admins).map(|names| admins(&names)).unwrap_or_default(),
            ai: settings.ai.try_into()?,
            rates: Allowed {
                user: rate("COTERIE_USER_RATE", given(settings.user_rate), limits::USER_RATE)?,
                address: rate("COTERIE_ADDRESS_RATE", given(settings.address_rate), limits::ADDRESS_RATE)?,
                project: rate("COTERIE_PROJECT_RATE", given(settings.project_rate), limits::PROJECT_RATE)?,
            },
            document_bytes: number("COTERIE_DOCUMENT_BYTES", given(settings.document_bytes), limits::DOCUMENTS_BYTES)?,
            room_bytes: number("COTERIE_ROOM_BYTES", given(settings.room_bytes), limits::ROOMS_BYTES)?,
            worker_bytes: worker_bytes(given(settings.worker_bytes))?,
            sockets_per_user: number(
                "COTERIE_SOCKETS_PER_USER",
                given(settings.sockets_per_user),
                limits::SOCKETS_PER_USER,
            )?,
            projects_per_user: number(
                "COTERIE_PROJECTS_PER_USER",
                given(settings.projects_per_user),
                limits::PROJECTS_PER_USER,
            )?,
            demo: match given(settings.demo).as_deref() {
                None | Some("off") => false,
                Some("on") => true,
                Some(other) => bail!("COTERIE_DEMO is {other:?}, but must be on or off"),
            },
            program: std::env::current_exe().context("cannot find the program that runs")?,
        })
    }
}

fn number<N: FromStr + Default + PartialOrd>(name: &str, given: Option<String>, default: N) -> anyhow::Result<N> {
    let Some(text) = given else { return Ok(default) };
    let number = text.parse().ok().filter(|number| *number > N::default());
    number.with_context(|| format!("{name} is {text:?}, but must be a whole number above 0"))
}

fn worker_bytes(given: Option<String>) -> anyhow::Result<usize> {
    let bytes = number("COTERIE_WORKER_BYTES", given, limits::WORKERS_BYTES)?;
    let most = limits::WORKERS_BYTES_MAX;
    ensure!(bytes <= most, "COTERIE_WORKER_BYTES is {bytes}, but workers have no room for more than {most}");
    Ok(bytes)
}

fn rate(name: &str, given: Option<String>, default: (u32, u32)) -> anyhow::Result<Rate> {
    match given {
        Some(text) => text.parse().with_context(|| format!("{name} is not a rate")),
        None => Ok(Rate::new(default)),
    }
}

fn listen_address(text: &str) -> anyhow::Result<SocketAddr> {
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    numeric.parse().map_err(|_| {
        anyhow::anyhow!(
            "COTERIE_LISTEN is {text:?}, but must be an address and a port, such as 127.0.0.1:3000 or 0.0.0.0:3000"
        )
    })
}

fn github_app(
    client_id: Option<String>,
    client_secret: Option<String>,
    url: Option<String>,
    api_url: Option<String>,
) -> anyhow::Result<Option<GithubApp>> {
    let (client_id, client_secret) = match (client_id, client_secret) {
        (Some(id), Some(secret)) => (id, secret),
        (None, None) => return Ok(None),
        _ => bail!("GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET must both be set, or neither"),
    };
    let url = github_address("GITHUB_URL", url.as_deref().unwrap_or("https://github.com"))?;
    let api_url = github_address("GITHUB_API_URL", api_url.as_deref().unwrap_or("https://api.github.com"))?;
    Ok(Some(GithubApp { client_id, client_secret, url, api_url }))
}

/// An address without a slash at the end. Secrets go there, so it is HTTPS unless it is this machine.
fn github_address(setting: &str, text: &str) -> anyhow::Result<String> {
    let rule = format!("{setting} must be an https:// address without a query, such as https://github.com");
    let uri: Uri = text.parse().with_context(|| rule.clone())?;
    let authority = uri.authority().with_context(|| rule.clone())?;
    let safe = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => is_loopback_name(authority.host()),
        _ => false,
    };
    if !safe || authority.as_str().contains('@') || uri.query().is_some() {
        bail!(rule);
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn admins(names: &str) -> Vec<String> {
    names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

impl FromStr for Guests {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            other => bail!("COTERIE_GUESTS is {other:?}, but must be auto, on or off"),
        }
    }
}

/// Where a person's own settings are on this machine.
///
/// # Errors
/// When the environment does not say.
#[allow(clippy::disallowed_methods, reason = "this is the file that reads it")]
pub fn own_settings() -> anyhow::Result<PathBuf> {
    let given = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = given("XDG_CONFIG_HOME").or_else(|| given("HOME").map(|home| home.join(".config")));
    folder.context("set HOME or XDG_CONFIG_HOME to where keys may be kept")
}

#[cfg(test)]
mod tests;
