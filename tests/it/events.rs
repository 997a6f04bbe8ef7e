//! A reader of a feed's server-sent events.

use coterie::ids::ProjectId;
use reqwest::{Method, Response, StatusCode, header};
use serde_json::Value;
use tokio::time::timeout;

use crate::client::TestClient;
use crate::server::PATIENCE;

/// An open stream of events.
pub struct Events {
    response: Response,
    /// What came and does not end an event yet.
    rest: String,
    /// The id of the last event.
    pub last_id: String,
    /// Comments that came.
    pub comments: usize,
}

impl Events {
    /// Opens the stream of a project; it begins after the event named, or now.
    pub async fn open(client: &TestClient, project: ProjectId, last_id: Option<&str>) -> Self {
        Self::open_some(client, project, "", last_id).await
    }

    /// As [`Events::open`], of what a query wants.
    pub async fn open_some(client: &TestClient, project: ProjectId, query: &str, last_id: Option<&str>) -> Self {
        let path = format!("/api/projects/{project}/feed{query}");
        let mut request = client.request(Method::GET, &path).header(header::ACCEPT, "text/event-stream");
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap();
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        let mut events = Self { response, rest: String::new(), last_id: String::new(), comments: 0 };
        let first = events.next().await.expect("it says where it begins");
        assert_eq!(first["type"], "feed.following");
        events
    }

    /// The next event; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.rest.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.rest = rest;
                match self.take(&event) {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await.expect("an event comes in time");
            self.rest.push_str(std::str::from_utf8(&chunk.ok()??).unwrap());
        }
    }

    fn take(&mut self, event: &str) -> Option<Value> {
        let mut data = None;
        for line in event.lines() {
            match line.split_once(':').unwrap() {
                ("id", id) => id.trim().clone_into(&mut self.last_id),
                ("data", text) => data = Some(serde_json::from_str(text).unwrap()),
                ("", _) => self.comments += 1,
                (field, _) => panic!("an unexpected field {field}"),
            }
        }
        data
    }
}

/// All events of a project, page by page.
pub async fn all(client: &TestClient, project: ProjectId) -> Vec<Value> {
    let mut events = Vec::new();
    let mut after = "0".to_owned();
    loop {
        let (status, page) = client.get(&format!("/api/projects/{project}/feed?limit=7&after={after}")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        events.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => return events,
        }
    }
}
