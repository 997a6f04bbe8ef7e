//! A client's end of the wire, as lean as can be: a WebSocket without masking (the key is zero, so that a trace of the
//! server's system calls shows what was sent) and the frames of the two dialects.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::edits::{Cursor, buffer};

/// The wire protocol of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// y-websocket: no acknowledgements.
    Yjs,
    /// Hocuspocus: one acknowledgement for each edit, in order.
    Hocuspocus,
}

/// What a server says about the document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// "Send me what I lack": a state vector.
    Question(Vec<u8>),
    /// Content.
    Update(Vec<u8>),
    /// The answer to the client's own question, after which it is synced: content.
    Answer(Vec<u8>),
    /// The first edit that is not answered for yet is saved.
    Saved,
    /// It is refused.
    Refused,
    /// Anything else.
    Other,
}

/// One document on one socket.
pub(super) struct Line {
    socket: Socket,
    dialect: Dialect,
    /// What Hocuspocus puts in front of every frame.
    address: Vec<u8>,
}

impl Line {
    /// Opens a socket to `{project}/{document}` and asks for all that lies beyond a state vector.
    pub(super) async fn open(
        server: SocketAddr,
        dialect: Dialect,
        document: &str,
        token: &str,
        state_vector: &[u8],
    ) -> io::Result<Self> {
        let mut address = Vec::new();
        let socket = match dialect {
            Dialect::Yjs => Socket::open(server, &format!("/yjs/{document}?token={token}")).await?,
            Dialect::Hocuspocus => {
                buffer(&mut address, document.as_bytes());
                Socket::open(server, "/hocuspocus").await?
            }
        };
        let mut line = Self { socket, dialect, address };
        if dialect == Dialect::Hocuspocus {
            let mut credential = vec![2, 0];
            buffer(&mut credential, token.as_bytes());
            buffer(&mut credential, b"4.8.0");
            line.send(&credential).await?;
        }
        line.send_sync(0, state_vector).await?;
        Ok(line)
    }

    /// Answers the server's question.
    pub(super) async fn answer(&mut self, update: &[u8]) -> io::Result<()> {
        self.send_sync(1, update).await
    }

    /// Sends a live edit.
    pub(super) async fn edit(&mut self, update: &[u8]) -> io::Result<()> {
        self.send_sync(2, update).await
    }

    async fn send_sync(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        let mut message = vec![0, kind];
        buffer(&mut message, body);
        self.send(&message).await
    }

    async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let frame = [&self.address, message].concat();
        self.socket.send(2, &frame).await
    }

    /// What the server says next. May be dropped half-way and called again.
    pub(super) async fn hear(&mut self) -> io::Result<Said> {
        let frame = self.socket.receive().await?;
        let mut cursor = Cursor(&frame);
        if self.dialect == Dialect::Hocuspocus {
            if frame.len() == 1 {
                return Ok(Said::Other);
            }
            cursor.buffer();
        }
        Ok(match (cursor.byte(), cursor.byte()) {
            (0, 0) => Said::Question(cursor.buffer().to_vec()),
            (0, 1) => Said::Answer(cursor.buffer().to_vec()),
            (0, 2) => Said::Update(cursor.buffer().to_vec()),
            (8, 1) => Said::Saved,
            (8, 0) => Said::Refused,
            (2, said) if said < 2 => Said::Refused,
            _ => Said::Other,
        })
    }
}

struct Socket {
    stream: TcpStream,
    received: Vec<u8>,
    /// What came of a message in fragments.
    message: Vec<u8>,
}

impl Socket {
    async fn open(server: SocketAddr, path: &str) -> io::Result<Self> {
        let mut stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut socket = Self { stream, received: Vec::new(), message: Vec::new() };
        let end = loop {
            if let Some(at) = socket.received.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            socket.read().await?;
        };
        let head = String::from_utf8_lossy(&socket.received[..end]).into_owned();
        if head.starts_with("HTTP/1.1 503") {
            // The database is away: as a page does, one comes back later.
            return Err(io::Error::other(head));
        }
        assert!(head.starts_with("HTTP/1.1 101"), "no upgrade at {path}: {head}");
        socket.received.drain(..end);
        Ok(socket)
    }

    async fn read(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.received).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    async fn send(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            len @ 0..126 => frame.push(0x80 | len as u8),
            len @ 126..0x1_0000 => {
                frame.push(0x80 | 126);
                frame.extend((len as u16).to_be_bytes());
            }
            len => {
                frame.push(0x80 | 127);
                frame.extend((len as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame).await
    }

    /// The next frame of data.
    async fn receive(&mut self) -> io::Result<Vec<u8>> {
        loop {
            while let Some((opcode, header, len)) = head(&self.received) {
                if self.received.len() < header + len {
                    break;
                }
                let is_last = self.received[0] & 0x80 != 0;
                let payload = self.received[header..header + len].to_vec();
                self.received.drain(..header + len);
                match opcode {
                    // It may come in fragments.
                    0 | 2 => {
                        self.message.extend_from_slice(&payload);
                        if is_last {
                            return Ok(std::mem::take(&mut self.message));
                        }
                    }
                    8 => return Err(io::Error::new(io::ErrorKind::ConnectionAborted, closing(&payload))),
                    9 => self.send(10, &payload).await?,
                    _ => {}
                }
            }
            self.read().await?;
        }
    }
}

/// Opcode, length of the header and of the payload of the frame at the front, once they can be read.
pub(super) fn head(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let key = if second & 0x80 == 0 { 0 } else { 4 };
    let (header, len) = match second & 0x7f {
        126 => (4, u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?).into()),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        len => (2, len.into()),
    };
    Some((first & 0x0f, header + key, len))
}

fn closing(payload: &[u8]) -> String {
    let (code, reason) = payload.split_at(payload.len().min(2));
    let code = code.iter().fold(0_u32, |code, &byte| code * 256 + u32::from(byte));
    format!("closed with {code}: {}", String::from_utf8_lossy(reason))
}
