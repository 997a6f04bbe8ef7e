//! Yjs in a child process (`tests/oracle/oracle.mjs`), asked one question at a time.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use coterie::update::{ClientId, StateVector};

use super::bytes::number;

pub(crate) struct Oracle {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
}

/// Two byte strings for each thing asked about.
pub(crate) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// What a random session left behind.
pub(crate) struct Session {
    /// What clients wrote, in causal order.
    pub(crate) rows: Vec<Vec<u8>>,
    /// All else that went over the wire: differences, relayed updates, merged ones.
    pub(crate) others: Vec<Vec<u8>>,
    /// Everything.
    pub(crate) state: Vec<u8>,
    /// State vectors that clients had on the way.
    pub(crate) vectors: Vec<StateVector>,
    /// Whether its documents collected garbage.
    pub(crate) gc: bool,
}

impl Oracle {
    pub(crate) fn start() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle");
        assert!(
            folder.join("node_modules/yjs").exists(),
            "{0}/node_modules is missing: run `npm ci --prefix {0}` (`make test` does)",
            folder.display()
        );
        let mut child = Command::new("node")
            .arg(folder.join("oracle.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node must be installed: Yjs runs in it");
        let input = child.stdin.take();
        let output = child.stdout.take().expect("the output is piped");
        Self { child, input, output }
    }

    fn ask(&mut self, question: u8, body: &[u8]) -> Answer {
        let input = self.input.as_mut().expect("open until the end");
        let head = (1 + body.len() as u32).to_le_bytes();
        input.write_all(&[&head, &[question][..], body].concat()).expect("the oracle reads");
        let mut head = [0; 4];
        self.output.read_exact(&mut head).expect("the oracle answers; its error is above");
        let mut bytes = vec![0; u32::from_le_bytes(head) as usize];
        self.output.read_exact(&mut bytes).expect("the oracle answers in full");
        Answer { bytes, at: 0 }
    }

    /// A session; `rare` with contents that yrs misreads.
    pub(crate) fn session(&mut self, seed: u64, gc: bool, rare: bool) -> Session {
        let mut answer = self.ask(1, &[number(seed), vec![gc.into(), rare.into()]].concat());
        let (rows, others, state) = (answer.blobs(), answer.blobs(), answer.blob());
        let vectors = answer.blobs().iter().map(|bytes| StateVector::decode(bytes).unwrap()).collect();
        Session { rows, others, state, vectors, gc }
    }

    /// Whether each candidate (updates to apply in order) gives the same document as the reference; panics if not.
    pub(crate) fn judge(&mut self, gc: bool, reference: &[Vec<u8>], candidates: &[Vec<Vec<u8>>], about: &str) -> usize {
        let candidates_bytes: Vec<Vec<u8>> = candidates.iter().map(|updates| blobs(updates)).collect();
        let body = [vec![gc.into()], blobs(reference), list(&candidates_bytes)].concat();
        let mut answer = self.ask(2, &body);
        assert_eq!(answer.number() as usize, candidates.len());
        for candidate in candidates {
            let difference = answer.text();
            assert_eq!(difference, "", "{about}: {candidate:02x?}");
        }
        candidates.len()
    }

    /// The state as a Yjs that loaded it writes it, its deleted ids as text, and for each vector the difference, as
    /// the document and as `diffUpdate` write it.
    pub(crate) fn differences(&mut self, gc: bool, state: &[u8], vectors: &[StateVector]) -> (Vec<u8>, String, Pairs) {
        let body = [vec![gc.into()], blob(state), blobs(&encoded(vectors))].concat();
        let mut answer = self.ask(3, &body);
        (answer.blob(), answer.text(), answer.pairs())
    }

    /// `mergeUpdates` of each list, and the state vector of the merged.
    pub(crate) fn merged(&mut self, lists: &[Vec<Vec<u8>>]) -> Pairs {
        let lists: Vec<Vec<u8>> = lists.iter().map(|updates| blobs(updates)).collect();
        self.ask(4, &list(&lists)).pairs()
    }

    /// What each update decodes to, as text; empty if Yjs throws.
    pub(crate) fn decoded(&mut self, updates: &[Vec<u8>]) -> Vec<String> {
        let mut answer = self.ask(5, &blobs(updates));
        (0..answer.number()).map(|_| answer.text()).collect()
    }

    /// `diffUpdate` of each update and vector, and the state vector of the update.
    pub(crate) fn diff_updates(&mut self, questions: &[(Vec<u8>, StateVector)]) -> Pairs {
        let questions: Vec<Vec<u8>> =
            questions.iter().map(|(update, vector)| [blob(update), blob(&vector.encode())].concat()).collect();
        self.ask(6, &list(&questions)).pairs()
    }

    /// The part of a state below each vector, as Yjs cuts it.
    pub(crate) fn below(&mut self, state: &[u8], vectors: &[StateVector]) -> Vec<Vec<u8>> {
        self.ask(7, &[blob(state), blobs(&encoded(vectors))].concat()).blobs()
    }

    /// How often each kind of content was in the sessions so far.
    pub(crate) fn coverage(&mut self) -> Vec<(String, u64)> {
        let mut answer = self.ask(8, &[]);
        (0..answer.number()).map(|_| (answer.text(), answer.number())).collect()
    }

    /// Each state as a Yjs that loaded it writes it.
    pub(crate) fn rewritten(&mut self, states: &[Vec<u8>]) -> Vec<Vec<u8>> {
        self.ask(10, &blobs(states)).blobs()
    }

    /// Small states by name, each of one content of a length above 1.
    pub(crate) fn strips(&mut self) -> Vec<(String, Vec<u8>)> {
        let mut answer = self.ask(9, &[]);
        (0..answer.number()).map(|_| (answer.text(), answer.blob())).collect()
    }

    /// What a Yjs document says in the root text `content` that loaded these updates in order, and its state vector;
    /// none if it throws.
    pub(crate) fn content(&mut self, documents: &[Vec<Vec<u8>>]) -> Vec<Option<(String, StateVector)>> {
        let documents: Vec<Vec<u8>> = documents.iter().map(|updates| blobs(updates)).collect();
        let mut answer = self.ask(11, &list(&documents));
        assert_eq!(answer.number() as usize, documents.len());
        let mut one = || (answer.number() == 1).then(|| (answer.text(), StateVector::decode(&answer.blob()).unwrap()));
        (0..documents.len()).map(|_| one()).collect()
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // The end of its input is the end of the oracle.
        self.input.take();
        drop(self.child.wait());
    }
}

struct Answer {
    bytes: Vec<u8>,
    at: usize,
}

impl Answer {
    fn number(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.bytes[self.at];
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    }

    fn blob(&mut self) -> Vec<u8> {
        let len = self.number() as usize;
        self.at += len;
        self.bytes[self.at - len..self.at].to_vec()
    }

    fn blobs(&mut self) -> Vec<Vec<u8>> {
        (0..self.number()).map(|_| self.blob()).collect()
    }

    fn pairs(&mut self) -> Pairs {
        (0..self.number()).map(|_| (self.blob(), self.blob())).collect()
    }

    fn text(&mut self) -> String {
        String::from_utf8(self.blob()).unwrap()
    }
}

fn encoded(vectors: &[StateVector]) -> Vec<Vec<u8>> {
    vectors.iter().map(StateVector::encode).collect()
}

fn blob(bytes: &[u8]) -> Vec<u8> {
    [number(bytes.len() as u64), bytes.to_vec()].concat()
}

/// A list of things already encoded.
fn list(things: &[Vec<u8>]) -> Vec<u8> {
    [number(things.len() as u64), things.concat()].concat()
}

fn blobs(things: &[Vec<u8>]) -> Vec<u8> {
    list(&things.iter().map(|thing| blob(thing)).collect::<Vec<_>>())
}

/// A random part of what a state vector knows, sometimes more.
pub(super) fn part_of(vector: &StateVector, random: &mut super::bytes::Random) -> StateVector {
    let mut part = StateVector::default();
    for (ClientId(client), clock) in vector.iter() {
        let clock = match random.below(6) {
            0 => 0,
            1 => clock + random.below(2) as u32,
            _ => random.below(u64::from(clock) + 1) as u32,
        };
        part.set(ClientId(client), clock);
    }
    part
}
