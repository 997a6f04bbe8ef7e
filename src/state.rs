//! What the handlers and sockets of one server share. Two servers in one process have two of these.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Arc, Once, OnceLock};

use axum::extract::FromRef;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::bodies::{Intake, Outflow};
use crate::config::{Config, Guests, PublicUrl};
use crate::db::Db;
use crate::door::Door;
use crate::feed::Feed;
use crate::github::Github;
use crate::limits;
use crate::meters::Meters;
use crate::model::Models;
use crate::replica::Replicas;
use crate::rights::Rights;
use crate::room::Rooms;
use crate::session::Sessions;
use crate::turnstile::Rates;

/// A handle on [`Shared`]; cheap to clone.
#[derive(Debug, Clone)]
pub struct AppState(Arc<Shared>);

/// The parts of a running server.
#[derive(Debug)]
pub struct Shared {
    /// Its settings.
    pub config: Config,
    /// Where everything is stored.
    pub db: Db,
    /// What happens in each project.
    pub feed: Feed,
    /// Who is in which project.
    pub sessions: Sessions,
    /// The live documents.
    pub rooms: Rooms,
    /// The models that the assistant may ask.
    pub models: Models,
    /// The workers that know what documents say.
    pub replicas: Replicas,
    /// Cancelled when the server stops; every socket then says so to its client and closes.
    pub shutdown: CancellationToken,
    /// What it measures.
    pub meters: Arc<Meters>,
    /// Who asks how often.
    pub rates: Rates,
    /// When it was made.
    pub began: Instant,
    /// Tells open sockets that what people may do has changed.
    pub rights: Rights,
    /// How much strangers hold.
    pub door: Door,
    /// Places for large frames that come in.
    pub large_frames: Arc<Semaphore>,
    /// Places for bodies that come in.
    pub intake: Intake,
    /// Places for large answers that wait for their readers.
    pub outflow: Outflow,
    /// Places for archives that are taken in.
    pub imports: Arc<Semaphore>,
    /// Where people sign in with GitHub, if they can.
    pub github: Option<Github>,
    /// The address of the listener, once there is one.
    listening: OnceLock<SocketAddr>,
    untrusted_proxy: Once,
}

impl AppState {
    /// The state of a server that does not listen yet.
    #[must_use]
    pub fn new(
        config: Config,
        db: Db,
        rooms: Rooms,
        replicas: Replicas,
        models: Models,
        github: Option<Github>,
        meters: Arc<Meters>,
    ) -> Self {
        let shutdown = CancellationToken::new();
        let feed = Feed::new(db.clone(), shutdown.clone());
        Self(Arc::new(Shared {
            door: Door::new(config.connections_per_address, config.sockets_per_user),
            large_frames: Arc::new(Semaphore::new(limits::LARGE_FRAMES)),
            intake: Intake::default(),
            outflow: Outflow::default(),
            imports: Arc::new(Semaphore::new(limits::ARCHIVES)),
            meters,
            rates: Rates::new(config.rates),
            began: Instant::now(),
            config,
            sessions: Sessions::new(feed.clone(), shutdown.clone()),
            feed,
            db,
            rooms,
            replicas,
            models,
            shutdown,
            rights: Rights::default(),
            github,
            listening: OnceLock::new(),
            untrusted_proxy: Once::new(),
        }))
    }
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Shared {
    /// Notes the listener's address; the first one stays.
    pub fn listens_on(&self, address: SocketAddr) {
        let _ = self.listening.set(address);
    }

    /// Says once that a proxy on this machine is not believed, so that everyone counts as one address.
    pub fn warn_of_untrusted_proxy(&self) {
        self.untrusted_proxy.call_once(|| {
            tracing::warn!("a proxy on this machine says for whom it asks; set COTERIE_TRUSTED_PROXIES to believe it");
        });
    }

    /// Where the server listens: the listener's own address, before it exists the configured one.
    #[must_use]
    pub fn listening(&self) -> SocketAddr {
        self.listening.get().copied().unwrap_or(self.config.listen)
    }

    /// The address to open in a browser, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        let listening = self.listening();
        match &self.config.public_url {
            Some(url) => url.origin().to_owned(),
            None if listening.ip().is_loopback() || listening.ip().is_unspecified() => {
                format!("http://localhost:{}", listening.port())
            }
            None => format!("http://{listening}"),
        }
    }

    /// Whether people may come in with just a name.
    ///
    /// `auto` asks whether nobody can sign in with GitHub and only this machine can reach the server. A proxy on the same machine also connects over
    /// loopback, but then the public URL names another host.
    #[must_use]
    pub fn allows_guests(&self) -> bool {
        match self.config.guests {
            Guests::On => true,
            Guests::Off => false,
            Guests::Auto => {
                self.config.github.is_none()
                    && self.listening().ip().is_loopback()
                    && self.config.public_url.as_ref().is_none_or(PublicUrl::is_loopback)
            }
        }
    }

    /// Whether browsers reach the server over TLS only.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.config.public_url.as_ref().is_some_and(PublicUrl::is_https)
    }
}

impl FromRef<AppState> for Db {
    fn from_ref(state: &AppState) -> Self {
        state.db.clone()
    }
}

impl FromRef<AppState> for Feed {
    fn from_ref(state: &AppState) -> Self {
        state.feed.clone()
    }
}

impl FromRef<AppState> for Intake {
    fn from_ref(state: &AppState) -> Self {
        state.intake.clone()
    }
}

impl FromRef<AppState> for Rights {
    fn from_ref(state: &AppState) -> Self {
        state.rights.clone()
    }
}

impl FromRef<AppState> for Replicas {
    fn from_ref(state: &AppState) -> Self {
        state.replicas.clone()
    }
}

impl FromRef<AppState> for Rooms {
    fn from_ref(state: &AppState) -> Self {
        state.rooms.clone()
    }
}
