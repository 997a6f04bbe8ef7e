//! Strangers who open connections and say little: they are let go soon, cost little, and hold up only themselves.

use std::time::Duration;

use coterie::limits;
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::client::TestClient;
use crate::engines::{Engine, in_time};
use crate::peer::Dialect;
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
