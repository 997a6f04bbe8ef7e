//! A moment as the API tells it; the database holds the same as bigint microseconds.

use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

/// Microseconds since 1970, written as RFC 3339 in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(description = "A moment in RFC 3339.", value_type = String, format = DateTime, example = "2026-01-31T12:00:00Z")]
pub struct Timestamp(pub i64);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000)
            .map_err(serde::ser::Error::custom)?
            .format(&Rfc3339)
            .map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_told_as_rfc_3339() {
        let text = serde_json::to_string(&Timestamp(1_700_000_000_000_000)).unwrap();
        assert_eq!(text, "\"2023-11-14T22:13:20Z\"");
    }
}
