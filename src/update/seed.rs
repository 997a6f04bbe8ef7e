//! The first update of a text document.

use super::writer::{put_number, put_string};
use super::{ClientId, EMPTY};

/// The update by which `client`, which has written nothing yet, puts `text` into the root text `root`. An empty text
/// needs no struct and gives [`EMPTY`]. `text` must not be longer than [`MAX_CLOCK`](super::MAX_CLOCK) UTF-16 units
/// nor `root` than [`MAX_NAME_BYTES`](super::MAX_NAME_BYTES).
pub fn seed(client: ClientId, root: &str, text: &str) -> Vec<u8> {
    if text.is_empty() {
        return EMPTY.to_vec();
    }
    let mut out = Vec::with_capacity(root.len() + text.len() + 32);
    // One section of one struct.
    out.extend([1, 1]);
    put_number(&mut out, client.0);
    // Clock 0; a string without neighbours; its parent is a root, named next.
    out.extend([0, super::item::STRING, 1]);
    put_string(&mut out, root);
    put_string(&mut out, text);
    // No deletions.
    out.push(0);
    out
}
