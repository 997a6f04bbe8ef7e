//! What things cost as one number grows and everything else stays: rooms, clients of a room, the document, its log.
//! Each step has a server of its own, but for the log, which goes on from step to step.

use super::*;
use std::io::{Read, Write};

/// Documents that one project takes; more rooms are in several projects.
const ROOMS_OF_A_PROJECT: usize = 1_900;
/// Rooms that are opened at once.
const ROOMS_AT_ONCE: usize = 20;
/// The client that wrote the large trace, and of its copies the first.
const TYPED_BY: u64 = 4_000_000_001;
/// Authors whose rows make a log long (edits of one author in one commit are one row), and one more, who listens then and types
/// alone when it is measured.
const AUTHORS: usize = 51;

impl Run<'_> {
    /// One axis: `--axis rooms|clients|document|log --at 10,100,…`.
    pub fn growth(&mut self) -> Value {
        let axis = self.a.get("axis", "rooms".to_string());
        let at: Vec<u64> = self.a.get("at", String::new()).split(',').filter_map(|n| n.parse().ok()).collect();
        let mut steps = vec![];
        for (i, n) in at.iter().enumerate() {
            if i > 0 && axis != "log" {
                self.anew();
            }
            let mut j = match axis.as_str() {
                "rooms" => self.with_rooms(*n as usize),
                "clients" => self.with_clients(*n as usize),
                "document" => self.with_document(*n as usize),
                "log" => break,
                _ => panic!("--axis rooms | clients | document | log"),
            };
            j["at"] = json!(n);
            eprintln!("{axis} {n}: {j}");
            steps.push(j);
        }
        if axis == "log" {
            steps = self.with_logs(&at);
        }
        json!({"axis": axis, "steps": steps})
    }

    /// The same server on an empty data folder.
    fn anew(&mut self) {
        self.srv.restart_empty();
        self.p = self.srv.prepared();
    }

    /// So many rooms of two, one of whom types; the same number of updates a second in all of them together.
    fn with_rooms(&mut self, n: usize) -> Value {
        let rate = self.a.get("rate", 1_000.0);
        let mut projects = vec![self.p.clone()];
        while projects.len() * ROOMS_OF_A_PROJECT < n {
            projects.push(self.srv.prepared());
        }
        let of = |room: usize| &projects[room / ROOMS_OF_A_PROJECT];
        let mut s = Sess::new(&self.p, names("g", n), 2, 1);
        s.rooms =
            (0..n)
                .map(|r| {
                    if of(r).room.is_empty() {
                        format!("g-{r}")
                    } else {
                        of(r).room.replace("{room}", &format!("g-{r}"))
                    }
                })
                .collect();
        let (rss0, c0) = (self.srv.rss(), self.srv.cpu());
        let mut io = Io::new(self.srv.port);
        for r in 0..n {
            for i in 0..2 {
                s.add(&mut io, of(r), r as u32, i);
            }
            // A few at a time: each first visitor has a document made, and nobody is waited for without end.
            if (r + 1) % ROOMS_AT_ONCE == 0 || r + 1 == n {
                let ok = s.sync_all(&mut io, 120);
                if !ok {
                    return json!({"error": "clients did not sync", "synced": s.synced, "closed": s.closed});
                }
            }
        }
        s.run_for(&mut io, 1.0);
        let (rss1, c1) = (self.srv.rss(), self.srv.cpu());
        s.run_for(&mut io, 3.0);
        let c2 = self.srv.cpu();
        // Each room has its first update, which creates what belongs to its writer, before anything is measured.
        let warm = (n as f64 / rate).max(1.0);
        let ph = phase(&mut io, &mut s, &self.srv, &mut 0, rate, warm, warm.max(5.0));
        let mut j = ph.json(&s);
        j["open_cpu_ms"] = json!(r3((total(c1) - total(c0)) * 1e3 / n as f64));
        j["kib_each"] = json!(r3((rss1 - rss0) * 1024.0 / n as f64));
        j["idle_cpu"] = json!(r3((total(c2) - total(c1)) / 3.0));
        j
    }

    /// One room of so many, one of whom types at the same speed.
    fn with_clients(&mut self, n: usize) -> Value {
        let rate = self.a.get("rate", 20.0);
        let (rss0, c0) = (self.srv.rss(), self.srv.cpu());
        let mut io = Io::new(self.srv.port);
        let mut s = Sess::new(&self.p, names("g", 1), n, 1);
        s.add_all(&mut io, &self.p);
        if !s.sync_all(&mut io, 60) {
            return json!({"error": "clients did not sync", "synced": s.synced, "closed": s.closed});
        }
        s.run_for(&mut io, 1.0);
        let (rss1, c1) = (self.srv.rss(), self.srv.cpu());
        let ph = phase(&mut io, &mut s, &self.srv, &mut 0, rate, 1.0, 8.0);
        let mut j = ph.json(&s);
        j["join_cpu_ms"] = json!(r3((total(c1) - total(c0)) * 1e3 / n as f64));
        j["kib_each"] = json!(r3((rss1 - rss0) * 1024.0 / n as f64));
        j
    }

    /// A document of about so many bytes, as a snapshot holds it: opened, and typed in by one of two.
    fn with_document(&mut self, bytes: usize) -> Value {
        let (parts, owner, clocks) = self.document_of(bytes);
        let size: usize = parts.iter().map(|u| u.len()).sum();
        let room = names("g", 1).remove(0);
        let p = self.p.clone();
        let mut io = Io::new(self.srv.port);
        let mut s = Sess::new(&p, vec![room.clone()], 2, 1);
        s.sv = proto::state_vector(&owner);
        s.add(&mut io, &p, 0, 0);
        assert!(s.sync_all(&mut io, 30), "document: no sync");
        for u in &parts {
            io.send(0, &p.framing.sync(&room, 2, u));
            s.run_for(&mut io, 0.005);
        }
        // An answer to this comes after all of that.
        (s.synced, s.cli[0].synced) = (0, 0);
        s.step1(&mut io, 0);
        assert!(s.sync_all(&mut io, 120), "document: no answer");
        s.add(&mut io, &p, 0, 1);
        assert!(s.sync_all(&mut io, 60), "document: no sync of the second");
        let settled = self.settle(&mut io, &mut s);
        let need = (!p.relay).then_some(clocks);
        let warm = opened(&p, self.srv.port, &room, need, 5, || self.srv.cpu());
        let (c0, mut typed) = (self.srv.cpu_parts(), 0);
        let ph = phase(&mut io, &mut s, &self.srv, &mut typed, 50.0, 1.0, 8.0);
        self.settle(&mut io, &mut s);
        let c1 = self.srv.cpu_parts();
        let updates = typed as f64;
        let mut j = ph.json(&s);
        let (own, workers) = self.srv.rss_parts();
        drop(io);
        let cold: Vec<Value> = (0..3).map(|_| self.cold(&room, need)).collect();
        j["bytes"] = json!(size);
        j["settled_s"] = json!(r3(settled));
        j["warm"] = warm;
        j["cold_ms"] = middle(&cold, "ms");
        j["cold_cpu_ms"] = middle(&cold, "cpu_ms");
        j["edit_cpu_us"] = json!(r3((c1.0 - c0.0) * 1e6 / updates));
        j["fold_cpu_us"] = json!(r3((c1.1 - c0.1) * 1e6 / updates));
        j["rss_mib"] = json!(r3(own));
        j["workers_mib"] = json!(r3(workers));
        j
    }

    /// A log of so many rows, by many authors, of a short text: typed in by one, and opened.
    fn with_logs(&mut self, at: &[u64]) -> Vec<Value> {
        let (p, said) = self.srv.prepared_with(&[AUTHORS.to_string()]);
        let (token, project) = (&said["token"], &said["project"]);
        let authors: Vec<Peer> = said["authors"]
            .split(' ')
            .map(|t| Peer { path: p.path.replace(token, t), token: t.to_string(), ..p.clone() })
            .collect();
        let room = names("g", 1).remove(0);
        let (mut clock, mut typed, mut steps) = (0, 0, vec![]);
        let mut u = Vec::with_capacity(64);
        for &rows in at {
            let mut io = Io::new(self.srv.port);
            let mut s = Sess::new(&p, vec![room.clone()], AUTHORS, AUTHORS);
            s.warm = u64::MAX;
            for (i, author) in authors.iter().enumerate() {
                s.add(&mut io, author, 0, i as u32);
            }
            assert!(s.sync_all(&mut io, 30), "log: no sync");
            let (t0, c0, from) = (now(), self.srv.cpu(), head(self.srv.port, project, token));
            let mut has = from;
            while has < rows && s.closed == 0 {
                for _ in 0..((rows - has) / AUTHORS as u64).clamp(1, 500) {
                    for i in 1..AUTHORS {
                        u.clear();
                        proto::replace_char(&mut u, BASE + i as u64, clock);
                        io.send(i, &s.fr.sync(&s.rooms[0], 2, &u));
                    }
                    clock += 1;
                    // The next when the one before this was shown to who listens, so that a commit has a row of each author.
                    while s.seen[1..AUTHORS].iter().any(|seen| *seen < clock - 1) && s.closed == 0 {
                        io.poll(&mut s, S / 100);
                    }
                }
                has = head(self.srv.port, project, token);
            }
            let (grown_s, c1) = ((now() - t0) as f64 / 1e9, self.srv.cpu());
            let settled = self.settle(&mut io, &mut s);
            drop(io);
            // The one who listened types, beside somebody who reads.
            let mut io = Io::new(self.srv.port);
            let mut s = Sess::new(&p, vec![room.clone()], 2, 1);
            for i in 0..2 {
                s.add(&mut io, &authors[0], 0, i);
            }
            assert!(s.sync_all(&mut io, 30), "log: no sync");
            let (c2, before) = (self.srv.cpu_parts(), typed);
            let ph = phase(&mut io, &mut s, &self.srv, &mut typed, 50.0, 1.0, 6.0);
            self.settle(&mut io, &mut s);
            let c3 = self.srv.cpu_parts();
            let updates = (typed - before) as f64;
            let (own, workers) = self.srv.rss_parts();
            drop(io);
            let cold: Vec<Value> = (0..3).map(|_| self.cold_as(&authors[0], &room, Some((BASE, typed)))).collect();
            let mut j = ph.json(&s);
            j["at"] = json!(rows);
            j["rows"] = json!(head(self.srv.port, project, token));
            j["grow_rows_per_s"] = json!(((has - from) as f64 / grown_s).round());
            j["grow_cpu_us"] = json!(r3((total(c1) - total(c0)) * 1e6 / (has - from).max(1) as f64));
            j["settled_s"] = json!(r3(settled));
            j["edit_cpu_us"] = json!(r3((c3.0 - c2.0) * 1e6 / updates));
            j["fold_cpu_us"] = json!(r3((c3.1 - c2.1) * 1e6 / updates));
            j["cold_ms"] = middle(&cold, "ms");
            j["cold_cpu_ms"] = middle(&cold, "cpu_ms");
            j["bytes"] = middle(&cold, "bytes");
            j["rss_mib"] = json!(r3(own));
            j["workers_mib"] = json!(r3(workers));
            eprintln!("log {rows}: {j}");
            steps.push(j);
        }
        steps
    }

    /// Updates that make a document of about so many bytes, the state vector of who has it, and the last client and its clocks:
    /// a part of the large trace, or several of it side by side.
    fn document_of(&self, bytes: usize) -> (Vec<Vec<u8>>, Vec<(u64, u64)>, (u64, u64)) {
        let trace = self.trace(1000);
        let of = |n: usize| {
            whole(&BigDoc {
                updates: trace.updates[..n].to_vec(),
                source: String::new(),
                edits: 0,
                text: String::new(),
            })
        };
        let all = of(trace.updates.len());
        let size = all.updates[0].len();
        let copies = ((bytes as f64 / size as f64).round() as u64).max(1);
        let part = if bytes < size {
            // About as many edits as bytes, and then by what they come to.
            let mut n = (bytes * trace.updates.len() / size).max(1);
            while n > 1 && of(n).updates[0].len() > bytes * 5 / 4 {
                n -= n.div_ceil(10);
            }
            of(n)
        } else {
            all
        };
        let clocks = all_of(&part).1;
        let parts = (0..copies).map(|i| proto::recast(&part.updates[0], TYPED_BY, TYPED_BY + i)).collect();
        let vector = (0..copies).map(|i| (TYPED_BY + i, clocks)).collect();
        (parts, vector, (TYPED_BY + copies - 1, clocks))
    }

    /// Waits until the server has rested for a second, half a minute at most: what it has to fold after a load is done then.
    fn settle(&self, io: &mut Io, s: &mut Sess) -> f64 {
        let t0 = now();
        loop {
            let c = self.srv.cpu();
            s.run_for(io, 1.0);
            let took = (now() - t0) as f64 / 1e9;
            if total(self.srv.cpu()) - total(c) < 0.03 || took > 30.0 {
                return took;
            }
        }
    }

    /// The room's first visitor after a start.
    fn cold(&mut self, room: &str, need: Option<(u64, u64)>) -> Value {
        let p = self.p.clone();
        self.cold_as(&p, room, need)
    }

    fn cold_as(&mut self, p: &Peer, room: &str, need: Option<(u64, u64)>) -> Value {
        self.srv.stop();
        self.srv.up();
        let srv = &self.srv;
        let mut j = opened(p, srv.port, room, need, 1, || srv.cpu());
        j["ms"] = j["p50_ms"].take();
        j
    }
}

/// What fresh clients wait for a document, one after the other.
fn opened(
    p: &Peer,
    port: u16,
    room: &str,
    need: Option<(u64, u64)>,
    times: usize,
    cpu: impl Fn() -> (f64, f64),
) -> Value {
    let (c0, mut ms, mut bytes) = (cpu(), vec![], 0);
    for _ in 0..times {
        if let Some((us, t)) = fetch_room(p, port, room, need, 0.0) {
            bytes = us.iter().map(|u| u.len()).sum();
            ms.push(t);
        }
    }
    let cpu_ms = (total(cpu()) - total(c0)) * 1e3 / times as f64;
    json!({"p50_ms": r3(median(ms.clone())), "cpu_ms": r3(cpu_ms), "bytes": bytes, "answered": ms.len()})
}

fn middle(all: &[Value], key: &str) -> Value {
    json!(r3(median(all.iter().filter_map(|v| v[key].as_f64()).collect())))
}

fn total(cpu: (f64, f64)) -> f64 {
    cpu.0 + cpu.1
}

/// How many rows the log of a project's only document has.
fn head(port: u16, project: &str, token: &str) -> u64 {
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", port)).expect("the server");
    let request = format!(
        "GET /api/projects/{project}/documents HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    let list: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("a list of documents: {answer}"));
    list["items"][0]["head"].as_u64().unwrap_or_else(|| panic!("a head: {body}"))
}
