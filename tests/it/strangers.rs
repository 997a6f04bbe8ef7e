//! Strangers who open connections and say little: they are let go soon, cost little, and hold up only themselves.

use std::time::Duration;

use coterie::config::Config;
use coterie::limits;
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Error as Refused;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::client::TestClient;
use crate::engines::{Database, Engine, in_time};
use crate::peer::{DIALECTS, Dialect, Opening};
use crate::server::{TestServer, until};

/// Connections that say nothing, or a head byte by byte.
const SILENT: usize = 60;

/// Reads until the server ends the connection; answers when it did.
async fn ended(stream: &mut TcpStream) -> Instant {
    let mut read = Vec::new();
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut read).await;
    Instant::now()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_connects_and_says_nothing_is_let_go_and_holds_up_nobody_with_a_request() {
    in_time(Box::pin(async {
        let server = TestServer::start(Engine::Sqlite).await;
        let ann = TestClient::guest(server.place(), "Ann").await;
        let project = ann.project().await;
        let mut author = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
        let began = Instant::now();
        let mut held = JoinSet::new();
        for number in 0..SILENT {
            let mut stream = TcpStream::connect(server.place().address()).await.unwrap();
            held.spawn(async move {
                match number % 3 {
                    0 => {}
                    1 => stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n").await.unwrap(),
                    _ => {
                        for byte in b"GET /healthz HTTP/1.1\r\nX-Slow: ".iter().chain(std::iter::repeat_n(&b'x', 500)) {
                            if stream.write_all(&[*byte]).await.is_err() {
                                break;
                            }
                            tokio::time::sleep(Duration::from_millis(100)).await;
                        }
                    }
                }
                ended(&mut stream).await
            });
        }
        // Who has a socket goes on, whoever else is at the door.
        for _ in 0..20 {
            author.insert(0, "x").await;
            author.until_saved().await;
        }
        assert!(began.elapsed() < limits::HEAD_TIME / 2, "{:?}", began.elapsed());
        let last = held.join_all().await.into_iter().max().unwrap();
        let took = last - began;
        println!("{SILENT} silent connections were ended within {took:?}");
        assert!(took < limits::HEAD_TIME + Duration::from_secs(3), "{took:?}");
        // Nobody is counted who has gone: what is left is Ann's.
        until("they are forgotten", async || server.state().door.open() <= 2).await;
        assert_eq!(ann.request(Method::GET, "/healthz").send().await.unwrap().status(), 200);
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_above_the_limit_is_refused() {
    in_time(Box::pin(async {
        let server = TestServer::start(Engine::Sqlite).await;
        let mut stream = TcpStream::connect(server.place().address()).await.unwrap();
        let mut head = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ".to_vec();
        head.extend(vec![b'x'; 2 * limits::HEAD_BYTES]);
        let _ = stream.write_all(&head).await;
        let mut answer = Vec::new();
        let _ = timeout(limits::HEAD_TIME, stream.read_to_end(&mut answer)).await.unwrap();
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
    }))
    .await;
}

/// A bare socket, upgraded.
async fn upgraded(opening: &Opening) -> Result<WebSocketStream<TcpStream>, Refused> {
    let stream = TcpStream::connect(opening.place.address()).await.unwrap();
    client_async(opening.request(), stream).await.map(|(socket, _)| socket)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_may_leave_its_only_document_for_another_however_long_it_is_open() {
    in_time(Box::pin(async {
        let server = TestServer::start(Engine::Sqlite).await;
        let ann = TestClient::guest(server.place(), "Ann").await;
        let project = ann.project().await;
        ann.create(project, "a", "").await;
        let mut peer = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
        // Past the time that a stranger has.
        tokio::time::sleep(limits::ADMISSION_TIME + Duration::from_secs(1)).await;
        for _ in 0..20 {
            peer.open_again().await;
        }
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_do_not_say_who_they_are_end_and_hold_up_nobody_who_does() {
    in_time(Box::pin(async {
        let server = TestServer::start(Engine::Sqlite).await;
        let ann = TestClient::guest(server.place(), "Ann").await;
        let project = ann.project().await;
        ann.create(project, "a", "").await;
        let nobody = TestClient::nobody(server.place());
        let began = Instant::now();
        let mut silent = JoinSet::new();
        for _ in 0..3 * limits::STRANGERS_PER_ADDRESS {
            let mut socket = upgraded(&nobody.socket(Dialect::Hocuspocus, project, "a")).await.unwrap();
            silent.spawn(async move {
                let mut read = Vec::new();
                let _ = socket.get_mut().read_to_end(&mut read).await;
                Instant::now()
            });
        }
        for dialect in DIALECTS {
            ann.socket(dialect, project, "a").join().await;
        }
        assert!(began.elapsed() < limits::ADMISSION_TIME / 2, "{:?}", began.elapsed());
        let last = silent.join_all().await.into_iter().max().unwrap();
        println!("sockets without a word were ended within {:?}", last - began);
        assert!(last - began < limits::ADMISSION_TIME + limits::GOODBYE + Duration::from_secs(2), "{:?}", last - began);
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strangers_frame_is_cut_off_before_it_has_come() {
    in_time(Box::pin(async {
        let server = TestServer::start(Engine::Sqlite).await;
        let ann = TestClient::guest(server.place(), "Ann").await;
        let project = ann.project().await;
        ann.create(project, "a", "").await;
        let nobody = TestClient::nobody(server.place());
        // One frame of 8 MiB, and as much in fragments of one byte with pings between them.
        let whole = [&[0x82, 0xff, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0][..], &vec![0; 256 * 1024]].concat();
        let crumbs: Vec<u8> = std::iter::once([0x02, 0x81, 0, 0, 0, 0, 7, 0x89, 0x80, 0, 0, 0, 0])
            .chain(std::iter::repeat_n([0x00, 0x81, 0, 0, 0, 0, 7, 0x89, 0x80, 0, 0, 0, 0], 32 * 1024))
            .flatten()
            .collect();
        for bytes in [whole, crumbs] {
            let mut socket = upgraded(&nobody.socket(Dialect::Hocuspocus, project, "a")).await.unwrap();
            let began = Instant::now();
            let stream = socket.get_mut();
            let (mut from, mut to) = stream.split();
            let mut said = Vec::new();
            let _ = tokio::join!(to.write_all(&bytes), from.read_to_end(&mut said));
            let close = [0x88, u8::try_from("frame too large".len() + 2).unwrap(), 0x03, 0xf1];
            assert!(said.windows(4).any(|window| window == close), "{said:?}");
            assert!(began.elapsed() < limits::ADMISSION_TIME, "{:?}", began.elapsed());
        }
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_behind_a_proxy_has_so_many_sockets_and_others_are_not_asked() {
    in_time(Box::pin(async {
        let database = Database::create(Engine::Sqlite).await;
        let mut config = Config::local(database.folder.path().to_owned(), database.url.clone());
        config.trusted_proxies = "127.0.0.0/8".parse().unwrap();
        config.connections_per_address = 3;
        let server = TestServer::with(config, database).await;
        let ann = TestClient::guest(server.place(), "Ann").await;
        let project = ann.project().await;
        ann.create(project, "a", "").await;
        let from = |address: &str| ann.socket(Dialect::Yjs, project, "a").forwarded_for(address);
        let mut open = Vec::new();
        for _ in 0..3 {
            // What stands left of what the proxy wrote is anybody's claim.
            open.push(from("198.51.100.7, 192.0.2.1").join().await);
        }
        let refused = upgraded(&from("203.0.113.5, 192.0.2.1")).await;
        let Err(Refused::Http(response)) = refused else { panic!("{refused:?}") };
        assert_eq!(response.status(), 429);
        assert!(response.headers().contains_key("retry-after"));
        from("192.0.2.2").join().await;
        open.pop().unwrap().leave().await;
        until("its place is free", async || upgraded(&from("192.0.2.1")).await.is_ok()).await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_asked_in_time_is_used_for_as_long_as_one_likes() {
    in_time(Box::pin(async {
        let server = TestServer::start(Engine::Sqlite).await;
        let mut stream = TcpStream::connect(server.place().address()).await.unwrap();
        let began = Instant::now();
        while began.elapsed() < limits::HEAD_TIME + Duration::from_secs(1) {
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            let mut answer = [0; 1024];
            let read = stream.read(&mut answer).await.unwrap();
            assert!(answer[..read].starts_with(b"HTTP/1.1 200"), "after {:?}: {read} bytes", began.elapsed());
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }))
    .await;
}
