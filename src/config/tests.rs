//! What settings may say, and what they come to.

use super::*;

#[test]
fn nothing_set_means_the_documented_defaults() {
    let config = Config::try_from(Settings::default()).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:3000");
    assert_eq!(config.database_url, "sqlite://data/coterie.db");
    assert_eq!(config.guests, Guests::Auto);
    assert_eq!(config.public_url, None);
}

#[test]
fn empty_values_count_as_not_set() {
    let empty = Some(String::new());
    let settings = Settings {
        listen: empty.clone(),
        public_url: empty.clone(),
        origins: empty.clone(),
        data_dir: Some(PathBuf::new()),
        database_url: empty.clone(),
        guests: empty.clone(),
        trusted_proxies: empty.clone(),
        connections_per_address: empty.clone(),
        github_client_id: empty.clone(),
        github_client_secret: empty.clone(),
        github_url: empty.clone(),
        github_api_url: empty.clone(),
        admins: empty.clone(),
        user_rate: empty.clone(),
        address_rate: empty.clone(),
        project_rate: empty.clone(),
        ai: AiSettings::default(),
        document_bytes: empty.clone(),
        room_bytes: empty.clone(),
        worker_bytes: empty.clone(),
        sockets_per_user: empty.clone(),
        projects_per_user: empty.clone(),
        demo: empty,
        sentry_dsn: None,
        log_format: None,
        log: None,
    };
    assert!(Config::try_from(settings).is_ok());
}

#[test]
fn what_to_listen_on_is_an_address_and_a_port() {
    assert!(listen_address("localhost:0").is_ok());
    assert!(listen_address("[::]:3000").is_ok());
    assert!(listen_address("3000").is_err());
    assert!(listen_address("127.0.0.1:70000").is_err());
}

#[test]
fn a_github_app_is_whole_and_reached_safely() {
    let app = |id: Option<&str>, secret: Option<&str>, url: Option<&str>| {
        github_app(id.map(str::to_owned), secret.map(str::to_owned), url.map(str::to_owned), None)
    };
    assert_eq!(app(None, None, None).unwrap(), None);
    assert!(app(Some("a"), None, None).is_err() && app(None, Some("b"), None).is_err());
    let whole = app(Some("a"), Some("b"), Some("https://ghe.example.com/")).unwrap().unwrap();
    assert_eq!((whole.url.as_str(), whole.api_url.as_str()), ("https://ghe.example.com", "https://api.github.com"));
    assert!(!format!("{whole:?}").contains("\"b\""));
    assert!(app(Some("a"), Some("b"), Some("http://127.0.0.1:9")).is_ok());
    for bad in ["http://ghe.example.com", "ghe.example.com", "https://me@x", "https://x/?q"] {
        assert!(app(Some("a"), Some("b"), Some(bad)).is_err(), "{bad}");
    }
    assert_eq!(admins(" ann, 42 ,,"), ["ann", "42"]);
}

#[test]
fn every_command_takes_every_setting() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
    let cli = Cli::try_parse_from(["coterie", "serve", "--listen", "127.0.0.1:1"]).unwrap();
    assert_eq!(cli.command, Some(Command::Serve));
    assert_eq!(cli.settings.listen.as_deref(), Some("127.0.0.1:1"));
}
