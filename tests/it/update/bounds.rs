//! Work grows with the bytes, not with what they claim and not with their square.

use std::time::{Duration, Instant};

use coterie::update::{ClientId, IdSet, MAX_STRUCTS, Malformed, StateVector, diff, merge, scan, seed, summary, take};

use super::bytes::number;

/// Generous, since tests run unoptimised and beside each other; the quadratic forms of these take minutes.
const LIMIT: Duration = Duration::from_secs(10);

fn timed(name: &str, work: impl FnOnce()) {
    let started = Instant::now();
    work();
    println!("{name}: {:?}", started.elapsed());
    assert!(started.elapsed() < LIMIT, "{name} took {:?}", started.elapsed());
}

/// One typed character: client 1, behind the one before.
fn row(clock: u32) -> Vec<u8> {
    if clock == 0 {
        return seed(ClientId(1), "t", "x");
    }
    let clock = u64::from(clock);
    [vec![1, 1, 1], number(clock), vec![0x84, 1], number(clock - 1), vec![1, b'x', 0]].concat()
}

#[test]
fn ten_thousand_rows_merge_in_one_pass() {
    let rows: Vec<Vec<u8>> = (0..10_000).map(row).collect();
    timed("merge of 10,000 rows", || {
        let merged = merge(&rows).unwrap();
        assert_eq!(summary(&merged).unwrap().state_vector.get(ClientId(1)), 10_000);
    });
    timed("merge of 10,000 rows, each of them over the one before", || {
        let all = merge(&rows).unwrap();
        let parsed = scan(&all).unwrap();
        let overlapping: Vec<Vec<u8>> =
            (0..10_000).map(|clock| take(&all, &parsed, |_| clock, |_| clock + 10, &IdSet::default())).collect();
        assert_eq!(merge(&overlapping).unwrap(), all);
    });
    timed("merge of 10,000 rows of as many clients", || {
        let rows: Vec<Vec<u8>> = (0..10_000).map(|client| seed(ClientId(client), "t", "x")).collect();
        assert_eq!(summary(&merge(&rows).unwrap()).unwrap().state_vector.len(), 10_000);
    });
}

#[test]
fn hostile_shapes_cost_no_more_than_their_bytes() {
    const COUNT: u32 = 100_000;
    // Every other id deleted, last one first.
    let mut backwards = [vec![0, 1, 1], number(COUNT.into())].concat();
    for index in (0..COUNT).rev() {
        backwards.extend(number(u64::from(index) * 2));
        backwards.push(1);
    }
    timed("delete set written backwards", || {
        let sum = summary(&backwards).unwrap();
        assert_eq!(sum.deleted.ranges(), COUNT as usize);
        let mut all = sum.deleted.clone();
        all.union(&sum.deleted);
        assert!(all.contains_all(&sum.deleted) && all.subtract(&sum.deleted).is_empty());
        assert_eq!(scan(&merge(&[&backwards, &backwards]).unwrap()).unwrap().deletions, all);
    });
    // As many clients, lowest first, so that the same client twice cannot be seen by order.
    let mut clients = number(COUNT.into());
    for client in 0..COUNT {
        clients.push(1);
        clients.extend(number(client.into()));
        clients.extend([0, 0, 1]);
    }
    clients.push(0);
    timed("sections written backwards", || {
        let sum = summary(&clients).unwrap();
        assert_eq!(sum.state_vector.len(), COUNT as usize);
        assert_eq!(StateVector::decode(&sum.state_vector.encode()), Ok(sum.state_vector.clone()));
        assert_eq!(diff(&clients, &sum.state_vector).unwrap().len(), 2);
    });
    // Garbage and gaps in turn: every struct is a run of its own.
    let mut holes = [vec![1], number((2 * COUNT + 1).into()), vec![1, 0]].concat();
    for _ in 0..COUNT {
        holes.extend([0, 1, 10, 1]);
    }
    holes.extend([0, 1, 0]);
    timed("a gap behind every struct", || {
        assert_eq!(merge(&[&holes]).unwrap(), holes);
        assert_eq!(summary(&merge(&[&holes, &holes]).unwrap()).unwrap().deleted.ranges(), COUNT as usize + 1);
    });
    let text = "😀".repeat(COUNT as usize);
    timed("a long text, cut", || {
        let bytes = seed(ClientId(1), "t", &text);
        let known: StateVector = [(ClientId(1), COUNT)].into_iter().collect();
        assert_eq!(summary(&diff(&bytes, &known).unwrap()).unwrap().structs, 1);
    });
}

/// A scan costs some 100 bytes of memory for each struct, so structs of two bytes each are not kept without end.
#[test]
fn a_scan_keeps_only_so_many_structs() {
    let garbage = |count: usize| [vec![1], number(count as u64), vec![1, 0], [0, 1].repeat(count), vec![0]].concat();
    assert_eq!(scan(&garbage(MAX_STRUCTS + 1)), Err(Malformed::Structs(7)));
    assert_eq!(summary(&garbage(MAX_STRUCTS + 1)).unwrap().structs, MAX_STRUCTS + 1);
    assert_eq!(scan(&garbage(1_000)).unwrap().structs.len(), 1_000);
}
