//! harness SCENARIO --peer NAME [--key value ...]; one JSON line per run on stdout. See README.md.
mod growth;

use harness::{
    hist::Hist,
    now,
    peer::{Peer, Server},
    proto::{self, Framing, Msg},
    trace::{BigDoc, big_doc},
    ws::{Handler, Io},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, collections::HashMap, thread::sleep, time::Duration};
use yrs::{Doc, GetString, ReadTxn, Transact, Update, updates::decoder::Decode};

/// Client ids of writers: BASE + room * writers + writer.
const BASE: u64 = 1_000_000;
const S: u64 = 1_000_000_000;
/// Open files that 10,000 rooms of two take.
const FILES: u64 = 32_768;

struct Args(HashMap<String, String>);
impl Args {
    fn get<T: std::str::FromStr>(&self, k: &str, or: T) -> T {
        self.0.get(k).map(|v| v.parse().ok().unwrap_or_else(|| panic!("--{k} {v}?"))).unwrap_or(or)
    }
}

#[derive(Clone, Default)]
struct Cli {
    room: u32,
    /// Place in its room; the first `writers` are the room's writers.
    idx: u32,
    synced: u64,
    acks: u64,
}

/// A set of clients in rooms, and what they received.
struct Sess {
    fr: Framing,
    token: String,
    rooms: Vec<String>,
    cli: Vec<Cli>,
    /// The state vector that clients open with.
    sv: Vec<u8>,
    writers: usize,
    per_room: usize,
    seen: Vec<u64>,
    // the schedule: clock k of writer g is due at t0 + ((k - base) * all + g) * step
    base: u64,
    warm: u64,
    t0: u64,
    step: f64,
    all: usize,
    hist: Hist,
    delivered: u64,
    echoed: u64,
    gaps: u64,
    odd: u64,
    acks: u64,
    refused: u64,
    synced: usize,
    closed: usize,
    /// Step 2 and updates as they came, where a client checks content.
    got: Option<Vec<Vec<u8>>>,
    /// Content counts as synced only with this client's clocks below this: some servers answer step 1
    /// before they have loaded the document, and send its content later as an update.
    need: Option<(u64, u64)>,
    aware: bool,
}

impl Sess {
    fn new(p: &Peer, rooms: Vec<String>, per_room: usize, writers: usize) -> Sess {
        let all = rooms.len() * writers;
        // What a room is named in full already stays so.
        let prefix = p.room.split("{room}").next().unwrap_or("");
        let full = |r: String| {
            if p.room.is_empty() || (!prefix.is_empty() && r.starts_with(prefix)) {
                r
            } else {
                p.room.replace("{room}", &r)
            }
        };
        let rooms: Vec<String> = rooms.into_iter().map(full).collect();
        Sess {
            fr: p.framing,
            token: p.token.clone(),
            cli: vec![],
            sv: vec![0],
            writers,
            per_room,
            seen: vec![0; rooms.len() * per_room * writers],
            rooms,
            base: 0,
            warm: 0,
            t0: 0,
            step: 0.0,
            all,
            hist: Hist::default(),
            delivered: 0,
            echoed: 0,
            gaps: 0,
            odd: 0,
            acks: 0,
            refused: 0,
            synced: 0,
            closed: 0,
            got: None,
            need: None,
            aware: false,
        }
    }
    fn room(&self, id: usize) -> &str {
        &self.rooms[self.cli[id].room as usize]
    }
    fn due(&self, k: u64, g: usize) -> u64 {
        self.t0 + (((k - self.base) * self.all as u64 + g as u64) as f64 * self.step) as u64
    }
    fn add(&mut self, io: &mut Io, p: &Peer, room: u32, idx: u32) -> usize {
        let id = io.connect(&p.path.replace("{room}", &self.rooms[room as usize]));
        self.cli.push(Cli { room, idx, ..Default::default() });
        assert_eq!(id + 1, self.cli.len());
        id
    }
    fn add_all(&mut self, io: &mut Io, p: &Peer) {
        for r in 0..self.rooms.len() {
            for i in 0..self.per_room {
                self.add(io, p, r as u32, i as u32);
            }
        }
    }
    /// Polls until every client is synced; false on a close or when time is out.
    fn sync_all(&mut self, io: &mut Io, limit_s: u64) -> bool {
        let end = now() + limit_s * S;
        while self.synced < self.cli.len() && self.closed == 0 && now() < end {
            io.poll(self, S / 100);
        }
        self.synced == self.cli.len() && self.closed == 0
    }
    fn step1(&self, io: &mut Io, id: usize) {
        io.send(id, &self.fr.sync(self.room(id), 0, &self.sv));
    }
    fn run_for(&mut self, io: &mut Io, s: f64) {
        let end = now() + (s * 1e9) as u64;
        while now() < end {
            io.poll(self, (end - now().min(end)).min(S / 20));
        }
    }
}

impl Handler for Sess {
    fn open(&mut self, io: &mut Io, id: usize) {
        if self.fr == Framing::Hocuspocus {
            io.send(id, &self.fr.auth(self.room(id), &self.token));
        } else {
            self.step1(io, id);
        }
    }
    fn message(&mut self, io: &mut Io, id: usize, payload: &[u8], t: u64) {
        let m = self.fr.read(payload);
        if let (Some(got), Msg::Step2(u) | Msg::Update(u)) = (&mut self.got, &m) {
            got.push(u.to_vec());
            let mut have = self.need.is_none() && matches!(m, Msg::Step2(_));
            let _ = proto::ranges(u, |c, _, to| have |= self.need.is_some_and(|n| n.0 == c && to >= n.1));
            if have && self.cli[id].synced == 0 {
                self.cli[id].synced = t;
                self.synced += 1;
            }
            return;
        }
        match m {
            Msg::Update(u) if !self.aware => {
                let (me, room) = (self.cli[id].idx as usize, self.cli[id].room as usize);
                let (w, first) = (self.writers, BASE + (room * self.writers) as u64);
                let ok = proto::ranges(u, |client, a, b| {
                    let Some(i) = client.checked_sub(first).map(|i| i as usize).filter(|i| *i < w) else {
                        self.odd += 1;
                        return;
                    };
                    if i == me {
                        self.echoed += b - a;
                        return;
                    }
                    let s = (room * self.per_room + me) * w + i;
                    if s >= self.seen.len() {
                        return; // a checking client
                    }
                    let seen = self.seen[s];
                    self.gaps += a.saturating_sub(seen);
                    for k in a.max(seen)..b {
                        if k >= self.warm {
                            self.hist.add(t.saturating_sub(self.due(k, room * w + i)));
                        }
                        self.delivered += 1;
                    }
                    self.seen[s] = seen.max(b);
                });
                self.odd += ok.is_none() as u64;
            }
            Msg::Awareness(u) if self.aware => {
                let me = BASE + self.cli[id].idx as u64;
                let n = self.per_room;
                let ok = proto::entries(u, |client, k| {
                    let i = client.wrapping_sub(BASE) as usize;
                    if client == me {
                        self.echoed += 1;
                    } else if i < n && k >= self.base {
                        let s = id * n + i;
                        if k > self.seen[s] {
                            self.seen[s] = k;
                            self.hist.add(t.saturating_sub(self.due(k, i)));
                            self.delivered += 1;
                        }
                    }
                });
                self.odd += ok.is_none() as u64;
            }
            Msg::Step2(_) => {
                if self.cli[id].synced == 0 {
                    self.cli[id].synced = t;
                    self.synced += 1;
                }
            }
            Msg::Step1 => {
                io.send(id, &self.fr.sync(self.room(id), 1, &[0, 0]));
            }
            Msg::AuthOk => self.step1(io, id),
            Msg::AuthDenied => self.refused += 1,
            Msg::Ack(true) => {
                self.cli[id].acks += 1;
                self.acks += 1
            }
            Msg::Ack(false) => self.refused += 1,
            _ => {}
        }
    }
    fn closed(&mut self, _: &mut Io, _: usize) {
        self.closed += 1;
    }
}

fn r3(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}
fn my_cpu() -> f64 {
    let mut u: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut u) };
    let s = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    s(u.ru_utime) + s(u.ru_stime)
}

/// What one stretch of sending at a fixed rate gave.
struct Phase {
    rate: f64,
    secs: f64,
    expected: u64,
    delivered: u64,
    cpu: (f64, f64),
    harness: f64,
    frames: u64,
    p: [f64; 3],
    max: f64,
}
impl Phase {
    fn good(&self, s: &Sess) -> bool {
        self.delivered == self.expected && s.closed == 0 && self.p[2] <= 50.0
    }
    fn json(&self, s: &Sess) -> Value {
        json!({
            "offered_updates_per_s": self.rate.round(), "delivered_per_s": (self.delivered as f64 / self.secs).round(),
            "expected": self.expected, "delivered": self.delivered, "lost_or_late": self.expected.saturating_sub(self.delivered),
            "p50_ms": r3(self.p[0]), "p95_ms": r3(self.p[1]), "p99_ms": r3(self.p[2]), "max_ms": r3(self.max),
            "cpu_s_per_million": r3((self.cpu.0 + self.cpu.1) / (self.delivered.max(1) as f64 / 1e6)),
            "cpu_user_share": r3(self.cpu.0 / (self.cpu.0 + self.cpu.1).max(1e-9)),
            "server_cpu": r3((self.cpu.0 + self.cpu.1) / self.secs), "harness_cpu": r3(self.harness / self.secs),
            "frames_per_delivered": r3(self.frames as f64 / self.delivered.max(1) as f64),
            "gaps": s.gaps, "odd": s.odd, "closed": s.closed, "acks": s.acks,
        })
    }
}

/// Open loop: writer g's clock k leaves when it is due, whatever came before.
fn phase(io: &mut Io, s: &mut Sess, srv: &Server, clock: &mut u64, rate: f64, warm_s: f64, secs: f64) -> Phase {
    let all = s.all as u64;
    let each = ((rate * (warm_s + secs)) as u64).div_ceil(all).max(2);
    s.base = *clock;
    s.warm = *clock + ((rate * warm_s) as u64 / all).min(each - 1);
    s.step = 1e9 / rate;
    s.hist = Hist::default();
    s.delivered = 0;
    s.t0 = now() + S / 200;
    let others = s.per_room as u64 - 1;
    let warm_n = (s.warm - s.base) * all;
    let expected = each * all * others;
    let (mut g, total) = (0u64, each * all);
    let (mut cpu0, mut h0, mut f0, mut start) = ((0.0, 0.0), 0.0, 0, 0);
    let mut u = Vec::with_capacity(64);
    let hard_end = s.t0 + ((warm_s + secs + 4.0) * 1e9) as u64;
    loop {
        let t = now();
        let mut burst = 0;
        while g < total && burst < 64 {
            let due = s.t0 + (g as f64 * s.step) as u64;
            if due > t {
                break;
            }
            if g == warm_n {
                (cpu0, h0, f0, start) = (srv.cpu(), my_cpu(), io.frames_in, now());
            }
            let (w, k) = ((g % all) as usize, s.base + g / all);
            let (room, i) = (w / s.writers, w % s.writers);
            let id = room * s.per_room + i;
            u.clear();
            proto::insert_char(&mut u, BASE + w as u64, k);
            let m = s.fr.sync(&s.rooms[room], 2, &u);
            io.send(id, &m);
            g += 1;
            burst += 1;
        }
        if s.delivered >= expected || now() > hard_end || (s.closed > 0 && g >= total) {
            break;
        }
        let wait = if g < total { (s.t0 + (g as f64 * s.step) as u64).saturating_sub(now()) } else { S / 100 };
        io.poll(s, wait.min(S / 100));
    }
    let end = now();
    let cpu1 = srv.cpu();
    *clock += each;
    let expected = expected - warm_n * others;
    let missing = expected.saturating_sub(s.hist.n);
    Phase {
        rate,
        secs: ((end - start) as f64 / 1e9).max(1e-9),
        expected,
        delivered: s.hist.n,
        cpu: (cpu1.0 - cpu0.0, cpu1.1 - cpu0.1),
        harness: my_cpu() - h0,
        frames: io.frames_in - f0,
        p: [s.hist.ms(0.5, missing), s.hist.ms(0.95, missing), s.hist.ms(0.99, missing)],
        max: if missing > 0 { 1e9 } else { s.hist.max as f64 / 1e6 },
    }
}

fn text_of(updates: &[&[u8]]) -> String {
    let d = Doc::new();
    let t = d.get_or_insert_text("t");
    for u in updates {
        d.transact_mut().apply_update(Update::decode_v1(u).expect("update")).expect("applies");
    }
    let txn = d.transact();
    t.get_string(&txn)
}

/// What a fresh client of a room gets until it has `need` (or, without one, for `wait_s` after step 2), and
/// the milliseconds from the start of connecting until then; None without an answer.
fn fetch_room(p: &Peer, port: u16, room: &str, need: Option<(u64, u64)>, wait_s: f64) -> Option<(Vec<Vec<u8>>, f64)> {
    let mut io = Io::new(port);
    let mut s = Sess::new(p, vec![room.to_string()], 1, 0);
    s.got = Some(vec![]);
    s.need = need;
    s.add(&mut io, p, 0, 0);
    if !s.sync_all(&mut io, 30) {
        return None;
    }
    let ms = (s.cli[0].synced - io.conns[0].t0) as f64 / 1e6;
    s.run_for(&mut io, wait_s);
    Some((s.got.unwrap(), ms))
}

fn text_got(us: &[Vec<u8>]) -> String {
    text_of(&us.iter().map(|u| u.as_slice()).collect::<Vec<_>>())
}

/// The big document's writer and how many clocks it has used.
fn all_of(b: &BigDoc) -> (u64, u64) {
    let mut n = (0, 0);
    for u in &b.updates {
        let _ = proto::ranges(u, |c, _, to| n = (c, to.max(n.1)));
    }
    n
}

/// Whether a fresh yrs replica of each of the first rooms reads exactly what was written.
fn verify(p: &Peer, port: u16, s: &Sess, clock: u64, seed: Option<&BigDoc>) -> Value {
    if p.relay {
        return Value::Null;
    }
    for (r, room) in s.rooms.iter().enumerate().take(3) {
        let ws: Vec<_> = (0..s.writers).map(|i| (BASE + (r * s.writers + i) as u64, clock)).collect();
        let all = proto::all_inserts(&ws);
        let mut us: Vec<&[u8]> = vec![];
        if let Some(b) = seed {
            us.extend(b.updates.iter().map(|u| u.as_slice()));
        }
        us.push(&all);
        let want = text_of(&us);
        let Some((u, _)) = fetch_room(p, port, room, None, 0.3) else { return json!("no answer") };
        if text_got(&u) != want {
            return json!(format!("room {r} differs"));
        }
    }
    json!(true)
}

fn names(tag: &str, n: usize) -> Vec<String> {
    (0..n).map(|i| format!("{tag}-{i}")).collect()
}

/// Puts the big document into a room; returns once the server has applied it all.
fn seed(p: &Peer, port: u16, room: &str, b: &BigDoc) {
    if p.relay {
        return;
    }
    let mut io = Io::new(port);
    let mut s = Sess::new(p, vec![room.to_string()], 1, 0);
    s.sv = full_sv(b);
    s.add(&mut io, p, 0, 0);
    assert!(s.sync_all(&mut io, 20), "seed: no sync");
    for chunk in b.updates.chunks(50) {
        for u in chunk {
            io.send(0, &p.framing.sync(room, 2, u));
        }
        // messages of one connection are handled in order: this answer is a barrier
        s.synced = 0;
        s.cli[0].synced = 0;
        s.step1(&mut io, 0);
        assert!(s.sync_all(&mut io, 120), "seed: no answer");
    }
}

/// The state vector of one who has the whole big document.
fn full_sv(b: &BigDoc) -> Vec<u8> {
    use yrs::updates::encoder::Encode;
    let d = Doc::new();
    for u in &b.updates {
        d.transact_mut().apply_update(Update::decode_v1(u).unwrap()).unwrap();
    }
    let sv = d.transact().state_vector();
    sv.encode_v1()
}

fn whole(b: &BigDoc) -> BigDoc {
    let d = Doc::new();
    for u in &b.updates {
        d.transact_mut().apply_update(Update::decode_v1(u).unwrap()).unwrap();
    }
    let u = d.transact().encode_state_as_update_v1(&Default::default());
    BigDoc { source: b.source.clone(), edits: b.edits, updates: vec![u], text: b.text.clone() }
}

fn median(mut v: Vec<f64>) -> f64 {
    v.sort_by(|a, b| a.total_cmp(b));
    if v.is_empty() { f64::NAN } else { v[v.len() / 2] }
}

struct Run<'a> {
    a: &'a Args,
    p: Peer,
    srv: Server,
}

impl Run<'_> {
    fn trace(&self, batch: usize) -> BigDoc {
        let t: String = self.a.get("trace", "traces/automerge-paper.json.gz".to_string());
        big_doc(Some(&t), batch)
    }

    fn fanout(&mut self) -> Value {
        let a = self.a;
        let (r, c, w) = (a.get("rooms", 20), a.get("clients", 10), a.get("writers", 2));
        let (rate, warm, secs) = (a.get("rate", 500.0), a.get("warm", 2.0), a.get("secs", 6.0));
        let rooms = names("f", r);
        let big = (a.get("seed-doc", 0) == 1).then(|| self.trace(1000));
        if let Some(b) = &big {
            let b = whole(b);
            for room in &rooms {
                seed(&self.p, self.srv.port, room, &b);
            }
        }
        let mut io = Io::new(self.srv.port);
        let mut s = Sess::new(&self.p, rooms, c, w);
        if let Some(b) = &big {
            s.sv = full_sv(b);
        }
        s.add_all(&mut io, &self.p);
        if !s.sync_all(&mut io, 60) {
            return json!({"error": "clients did not sync", "synced": s.synced, "closed": s.closed});
        }
        let mut clock = 0;
        let ph = phase(&mut io, &mut s, &self.srv, &mut clock, rate, warm, secs);
        let mut j = ph.json(&s);
        j["rooms"] = json!(r);
        j["clients"] = json!(c);
        j["writers"] = json!(w);
        j["seeded"] = json!(big.is_some());
        j["rss_mib"] = json!(r3(self.srv.rss()));
        j["verified"] = verify(&self.p, self.srv.port, &s, clock, big.as_ref());
        j
    }

    fn saturate(&mut self) -> Value {
        let a = self.a;
        let (r, c, w): (usize, usize, usize) = (a.get("rooms", 1), a.get("clients", 100), a.get("writers", 5));
        let (mut rate, grow) = (a.get("start", 50.0), a.get("grow", 1.5));
        let (warm, secs, refine) = (a.get("warm", 1.0), a.get("secs", 3.0), a.get("refine", 3));
        let (mut good, mut bad): (Option<(f64, Value)>, Option<(f64, Value)>) = (None, None);
        let (mut steps, mut refined, mut again) = (0, 0, false);
        while steps < 60 {
            if again {
                // a second try of a rate that failed, against noise
            } else if let (Some((g, _)), Some((b, _))) = (&good, &bad) {
                if refined >= refine {
                    break;
                }
                refined += 1;
                rate = (g * b).sqrt();
            }
            let mut io = Io::new(self.srv.port);
            let mut s = Sess::new(&self.p, names(&format!("s{steps}"), r), c, w);
            s.add_all(&mut io, &self.p);
            let synced = s.sync_all(&mut io, 30);
            steps += 1;
            let (ok, j) = if synced {
                let ph = phase(&mut io, &mut s, &self.srv, &mut 0, rate, warm, secs);
                (ph.good(&s), ph.json(&s))
            } else {
                (false, json!({"error": "clients did not sync"}))
            };
            if a.get("verbose", 0) == 1 {
                eprintln!("{rate:.0}/s {} {j}", if ok { "ok" } else { "BAD" });
            }
            drop(io);
            sleep(Duration::from_millis(if ok { 200 } else { 1500 }));
            if !self.srv.alive() {
                return json!({"error": "the server died", "at_rate": rate, "best": good.map(|g| g.1)});
            }
            again = !ok && !again;
            if ok {
                good = Some((rate, j));
                rate *= grow;
            } else if !again {
                bad = Some((rate, j));
                if good.is_none() {
                    rate /= 3.0;
                    if rate < 1.0 {
                        break;
                    }
                    bad = None;
                }
            }
        }
        let mut j = match good {
            Some((rate, mut j)) => {
                j["best_updates_per_s"] = json!(rate.round());
                j["best_delivered_per_s"] = json!((rate * (c as f64 - 1.0)).round());
                j
            }
            None => json!({"best_updates_per_s": 0}),
        };
        j["rooms"] = json!(r);
        j["clients"] = json!(c);
        j["writers"] = json!(w);
        j["first_bad"] = bad.map(|b| json!({"rate": b.0.round(), "p99_ms": b.1["p99_ms"], "lost_or_late": b.1["lost_or_late"],
            "closed": b.1["closed"], "gaps": b.1["gaps"], "harness_cpu": b.1["harness_cpu"], "server_cpu": b.1["server_cpu"]})).into();
        j["rss_mib"] = json!(r3(self.srv.rss()));
        j
    }

    fn idle(&mut self) -> Value {
        let n: usize = self.a.get("conns", 2000);
        let rooms = match self.a.get("rooms", 0) {
            0 => n,
            r => r,
        };
        let rss0 = self.srv.rss();
        let mut io = Io::new(self.srv.port);
        io.inflight_max = self.a.get("inflight", 256);
        let mut s = Sess::new(&self.p, names("i", rooms), n / rooms, 0);
        let (t0, cpu0) = (now(), self.srv.cpu());
        s.add_all(&mut io, &self.p);
        let ok = s.sync_all(&mut io, 50);
        let took = (now() - t0) as f64 / 1e9;
        s.run_for(&mut io, 1.0);
        let cpu1 = self.srv.cpu();
        s.run_for(&mut io, 3.0);
        let (rss1, cpu2) = (self.srv.rss(), self.srv.cpu());
        io.close_all();
        sleep(Duration::from_secs(10));
        let rss2 = self.srv.rss();
        json!({
            "conns": n, "rooms": rooms, "all_synced": ok, "synced": s.synced, "closed": s.closed, "connect_s": r3(took),
            "connect_cpu_ms_each": r3((cpu1.0 + cpu1.1 - cpu0.0 - cpu0.1) * 1e3 / n as f64),
            "rss_start_mib": r3(rss0), "rss_open_mib": r3(rss1), "rss_after_close_mib": r3(rss2),
            "kib_per_conn": r3((rss1 - rss0) * 1024.0 / n as f64),
            "idle_cpu": r3((cpu2.0 + cpu2.1 - cpu1.0 - cpu1.1) / 3.0),
        })
    }

    fn load(&mut self) -> Value {
        let (n, port) = (self.a.get("times", 20usize), self.srv.port);
        let b = self.trace(1000);
        let p = self.p.clone();
        let rooms = names("l", if p.store { n } else { 1 });
        // one client stays, so that the document stays in memory
        let mut io = Io::new(port);
        let mut stay = Sess::new(&p, vec![rooms[0].clone()], 1, 0);
        stay.got = Some(vec![]);
        stay.add(&mut io, &p, 0, 0);
        assert!(stay.sync_all(&mut io, 30), "load: no sync");
        let t = now();
        for r in &rooms {
            seed(&p, port, r, &b);
            stay.run_for(&mut io, 0.001);
        }
        let seed_s = (now() - t) as f64 / 1e9 / rooms.len() as f64;
        stay.run_for(&mut io, 1.0);
        let need = (!p.relay).then(|| all_of(&b));
        let mut times = |rooms: &[String], srv: &Server| {
            let (mut ms, mut size, mut ok) = (vec![], 0, true);
            let c0 = srv.cpu();
            for (i, r) in rooms.iter().enumerate() {
                match fetch_room(&p, port, r, need, 0.0) {
                    Some((u, t)) => {
                        size = u.iter().map(|u| u.len()).sum();
                        ms.push(t);
                        ok &= p.relay || i > 0 || text_got(&u) == b.text;
                    }
                    None => ok = false,
                }
                io.poll(&mut stay, 0);
            }
            let c1 = srv.cpu();
            let cpu = (c1.0 + c1.1 - c0.0 - c0.1) * 1e3 / rooms.len() as f64;
            json!({"p50_ms": r3(median(ms.clone())), "min_ms": r3(ms.iter().copied().fold(1e9, f64::min)),
                "max_ms": r3(ms.iter().copied().fold(0.0, f64::max)), "cpu_ms_each": r3(cpu), "bytes": size, "verified": ok})
        };
        let warm = times(&vec![rooms[0].clone(); n], &self.srv);
        let rss = self.srv.rss();
        let mut cold = Value::Null;
        if p.store {
            sleep(Duration::from_secs_f64(p.flush_s));
            self.srv.stop();
            self.srv.up();
            cold = times(&rooms, &self.srv);
        }
        json!({"doc": b.source, "edits": b.edits, "chars": b.text.len(), "seed_s_each": r3(seed_s), "warm": warm, "cold": cold,
            "rss_mib": r3(rss), "rooms_in_memory": rooms.len()})
    }

    fn herd(&mut self) -> Value {
        let (n, r) = (self.a.get("conns", 1000usize), self.a.get("rooms", 1usize));
        let b = self.trace(1000);
        let one = whole(&b);
        let rooms = names("h", r);
        for room in &rooms {
            seed(&self.p, self.srv.port, room, &one);
        }
        let mut io = Io::new(self.srv.port);
        io.inflight_max = self.a.get("inflight", 256);
        let mut s = Sess::new(&self.p, rooms, n / r, 0);
        s.sv = full_sv(&b);
        s.add_all(&mut io, &self.p);
        if !s.sync_all(&mut io, 60) {
            return json!({"error": "clients did not sync", "synced": s.synced, "closed": s.closed});
        }
        s.run_for(&mut io, 1.0 + if self.p.store { self.p.flush_s } else { 0.0 });
        for id in 0..io.conns.len() {
            io.close(id);
        }
        sleep(Duration::from_millis(500));
        let (c0, bytes0, t0) = (self.srv.cpu(), io.bytes_in, now());
        s.synced = 0;
        for id in 0..io.conns.len() {
            s.cli[id].synced = 0;
            io.reconnect(id);
        }
        let ok = s.sync_all(&mut io, 60);
        let all_s = (now() - t0) as f64 / 1e9;
        let c1 = self.srv.cpu();
        let mut each: Vec<f64> = s.cli.iter().map(|c| c.synced.saturating_sub(t0) as f64 / 1e6).collect();
        each.sort_by(|a, b| a.total_cmp(b));
        let bytes = (io.bytes_in - bytes0) as f64 / n as f64;
        let kept = if self.p.relay {
            Value::Null
        } else {
            json!(fetch_room(&self.p, self.srv.port, &s.rooms[0], None, 1.0).map(|(u, _)| text_got(&u) == b.text))
        };
        json!({"conns": n, "rooms": r, "all_synced": ok, "closed": s.closed, "all_synced_s": r3(all_s),
            "p50_ms": r3(each[each.len() / 2]), "p99_ms": r3(each[each.len() * 99 / 100]),
            "cpu_s": r3(c1.0 + c1.1 - c0.0 - c0.1), "bytes_each": bytes.round(), "kept": kept, "rss_mib": r3(self.srv.rss())})
    }

    fn crash(&mut self) -> Value {
        let (w, rate) = (self.a.get("writers", 5usize), self.a.get("rate", 200.0));
        let secs = self.a.get("secs", 0.0);
        // "random" moment: from the clock
        let secs = if secs > 0.0 { secs } else { 3.0 + (now() / 1000 % 9000) as f64 / 1000.0 };
        let mut io = Io::new(self.srv.port);
        let mut s = Sess::new(&self.p, names("c", 1), w + 2, w);
        s.add_all(&mut io, &self.p);
        assert!(s.sync_all(&mut io, 30), "crash: no sync");
        s.step = 1e9 / rate;
        s.t0 = now();
        let end = s.t0 + (secs * 1e9) as u64;
        let (mut g, mut u) = (0u64, vec![]);
        while now() < end {
            while s.t0 + (g as f64 * s.step) as u64 <= now() {
                let (i, k) = (g as usize % w, g / w as u64);
                u.clear();
                proto::insert_char(&mut u, BASE + i as u64, k);
                io.send(i, &s.fr.sync(&s.rooms[0], 2, &u));
                g += 1;
            }
            io.poll(&mut s, S / 1000);
        }
        self.srv.kill();
        // what the server had sent is still in the sockets' buffers
        let t = now();
        while s.closed < w + 2 && now() < t + 2 * S {
            io.poll(&mut s, S / 50);
        }
        // delivered: the furthest that any client other than the writer saw
        let seen: Vec<u64> = (0..w).map(|i| (0..w + 2).map(|c| s.seen[c * w + i]).max().unwrap()).collect();
        let delivered: u64 = seen.iter().sum();
        let acked: u64 = (0..w).map(|i| s.cli[i].acks).sum();
        let acks: Vec<u64> = (0..w).map(|i| s.cli[i].acks.saturating_sub(1)).collect();
        self.srv.up();
        let Some((us, _)) = fetch_room(&self.p, self.srv.port, &s.rooms[0], None, 3.0) else {
            return json!({"error": "no sync after restart"});
        };
        let mut have = BTreeMap::new();
        for u in &us {
            let _ = proto::ranges(u, |c, _, to| {
                let e = have.entry(c).or_insert(0);
                *e = to.max(*e);
            });
        }
        let of = |i: usize| have.get(&(BASE + i as u64)).copied().unwrap_or(0);
        let lost: u64 = (0..w).map(|i| seen[i].saturating_sub(of(i))).sum();
        let lost_acked: u64 = (0..w).map(|i| acks[i].saturating_sub(of(i))).sum();
        json!({"after_s": r3(secs), "sent": g, "delivered": delivered, "recovered": (0..w).map(of).sum::<u64>(), "lost_delivered": lost,
            "lost_share": r3(lost as f64 / delivered.max(1) as f64), "lost_s": r3(lost as f64 / rate),
            "acked": acked, "lost_acked": lost_acked})
    }

    fn awareness(&mut self) -> Value {
        let (c, hz) = (self.a.get("clients", 50usize), self.a.get("hz", 10.0));
        let secs = self.a.get("secs", 5.0);
        let mut io = Io::new(self.srv.port);
        let mut s = Sess::new(&self.p, names("a", 1), c, 0);
        s.aware = true;
        s.seen = vec![0; c * c];
        s.add_all(&mut io, &self.p);
        if !s.sync_all(&mut io, 30) {
            return json!({"error": "clients did not sync", "closed": s.closed});
        }
        let (all, rate) = (c as u64, c as f64 * hz);
        let go = |s: &mut Sess, io: &mut Io, from: u64, secs: f64| {
            s.all = c;
            s.base = from;
            s.step = 1e9 / rate;
            s.hist = Hist::default();
            s.delivered = 0;
            s.t0 = now() + S / 200;
            let n = (hz * secs) as u64 * all;
            let mut g = 0;
            let stop = s.t0 + ((secs + 3.0) * 1e9) as u64;
            while now() < stop && (g < n || s.delivered < n * (all - 1)) {
                while g < n && s.t0 + (g as f64 * s.step) as u64 <= now() {
                    let (i, k) = ((g % all) as usize, from + g / all);
                    io.send(i, &s.fr.awareness(&s.rooms[0], &proto::cursor(BASE + i as u64, k)));
                    g += 1;
                }
                if g >= n && now() > s.t0 + ((secs + 0.5) * 1e9) as u64 {
                    break; // coalesced states never come
                }
                let wait = if g < n { (s.t0 + (g as f64 * s.step) as u64).saturating_sub(now()) } else { S / 100 };
                io.poll(s, wait.min(S / 100));
            }
            n
        };
        go(&mut s, &mut io, 1, 1.0);
        let (c0, h0, f0, b0, t0) = (self.srv.cpu(), my_cpu(), io.frames_in, io.bytes_in, now());
        let n = go(&mut s, &mut io, 1_000, secs);
        let took = (now() - t0) as f64 / 1e9;
        let c1 = self.srv.cpu();
        let cpu = c1.0 + c1.1 - c0.0 - c0.1;
        json!({"clients": c, "hz": hz, "offered_states": n * (all - 1), "delivered_states": s.delivered,
            "delivered_per_s": (s.delivered as f64 / secs).round(), "frames": io.frames_in - f0, "bytes": io.bytes_in - b0,
            "p50_ms": r3(s.hist.ms(0.5, 0)), "p99_ms": r3(s.hist.ms(0.99, 0)), "max_ms": r3(s.hist.max as f64 / 1e6),
            "cpu_s_per_million": r3(cpu / (s.delivered.max(1) as f64 / 1e6)), "server_cpu": r3(cpu / took),
            "harness_cpu": r3((my_cpu() - h0) / took), "closed": s.closed, "odd": s.odd})
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let scenario = words.first().cloned().unwrap_or_default();
    let a = Args(
        words
            .get(1..)
            .unwrap_or(&[])
            .chunks(2)
            .filter(|c| c.len() == 2)
            .map(|c| (c[0].trim_start_matches("--").to_string(), c[1].clone()))
            .collect(),
    );
    unsafe {
        let mut l: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut l);
        // Root may have more than it was given.
        let more = libc::rlimit { rlim_cur: l.rlim_max.max(FILES), rlim_max: l.rlim_max.max(FILES) };
        if libc::setrlimit(libc::RLIMIT_NOFILE, &more) != 0 {
            l.rlim_cur = l.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &l);
        }
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
    if scenario == "state" {
        // writes the big document as one update: what a relay serves as its blob
        let b = big_doc(Some(&a.get("trace", "traces/automerge-paper.json.gz".to_string())), 1000);
        let u = whole(&b).updates.remove(0);
        std::fs::write(a.get("out", "traces/big.v1".to_string()), u).unwrap();
        return;
    }
    let name: String = a.get("peer", "relay".to_string());
    let peers: BTreeMap<String, Peer> =
        serde_json::from_str(&std::fs::read_to_string(a.get("peers", "peers.json".to_string())).expect("peers.json"))
            .expect("peers.json");
    let p = peers.get(&name).unwrap_or_else(|| panic!("no peer {name}")).clone();
    let core = a.get("server-core", 0i64);
    let port = a.get("port", 9100 + (std::process::id() % 800) as u16);
    let srv = Server::start(&p, &name, port, (core >= 0).then_some(core as usize));
    let p = srv.prepared();
    let mut run = Run { a: &a, p, srv };
    let t = now();
    let mut j = match scenario.as_str() {
        "fanout" => run.fanout(),
        "saturate" => run.saturate(),
        "idle" => run.idle(),
        "load" => run.load(),
        "herd" => run.herd(),
        "crash" => run.crash(),
        "awareness" => run.awareness(),
        "growth" => run.growth(),
        _ => panic!("fanout | saturate | idle | load | herd | crash | awareness | growth | state"),
    };
    j["scenario"] = json!(a.get("as", scenario));
    j["peer"] = json!(name);
    j["took_s"] = json!(r3((now() - t) as f64 / 1e9));
    println!("{j}");
}
