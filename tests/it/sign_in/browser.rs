//! A browser that signs in: it keeps cookies and goes where it is sent, one step at a time.

use std::sync::Arc;

use reqwest::cookie::{CookieStore, Jar};
use reqwest::redirect::Policy;
use reqwest::{StatusCode, header};

use crate::client::{TestClient, http};
use crate::server::Place;

/// One browser.
#[derive(Debug, Clone)]
pub struct Browser {
    http: reqwest::Client,
    jar: Arc<Jar>,
    place: Place,
}

/// Where a step led.
#[derive(Debug)]
pub struct Step {
    pub status: StatusCode,
    pub location: Option<String>,
    pub body: String,
}

impl Step {
    /// Where the browser is sent.
    pub fn location(&self) -> &str {
        self.location.as_deref().unwrap_or_else(|| panic!("it is sent nowhere: {self:?}"))
    }

    /// Whether it is a page for people that says this.
    pub fn says(&self, words: &str) -> bool {
        self.body.starts_with("<!doctype html>") && self.body.contains(words)
    }
}

impl Browser {
    pub fn new(place: &Place) -> Self {
        let jar = Arc::new(Jar::default());
        let http = http().cookie_provider(jar.clone()).redirect(Policy::none()).build().unwrap();
        Self { http, jar, place: place.clone() }
    }

    fn origin(&self) -> String {
        format!("http://{}", self.place.address())
    }

    /// The browser of somebody who is signed in already.
    pub fn of(place: &Place, client: &TestClient) -> Self {
        let browser = Self::new(place);
        browser.put_cookie(&client.cookie());
        browser
    }

    /// Has it hold a cookie.
    pub fn put_cookie(&self, cookie: &str) {
        self.jar.add_cookie_str(&format!("{cookie}; Path=/"), &self.origin().parse().unwrap());
    }

    /// What it shows the server.
    pub fn cookies(&self) -> String {
        let cookies = self.jar.cookies(&self.origin().parse().unwrap());
        cookies.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    /// The cookie of its login.
    pub fn login(&self) -> Option<String> {
        self.cookies().split("; ").find(|pair| pair.starts_with("coterie=")).map(str::to_owned)
    }

    /// Opens an address of the server or of GitHub.
    pub async fn open(&self, address: &str) -> Step {
        let url = if address.starts_with('/') { format!("{}{address}", self.origin()) } else { address.to_owned() };
        let mut request = self.http.get(&url).header(header::ACCEPT, "text/html");
        if url.contains("/auth/github/callback") {
            // Its way led over another site.
            request = request.header("sec-fetch-site", "cross-site");
        }
        let response = request.send().await.unwrap();
        let location = response.headers().get(header::LOCATION).map(|value| value.to_str().unwrap().to_owned());
        Step { status: response.status(), location, body: response.text().await.unwrap() }
    }

    /// Goes to GitHub and back as far as the callback's address, which it does not open.
    pub async fn until_callback(&self, next: &str) -> String {
        let to_github = self.open(&format!("/auth/github?next={next}")).await;
        assert_eq!(to_github.status, StatusCode::SEE_OTHER, "{to_github:?}");
        self.open(to_github.location()).await.location().to_owned()
    }

    /// Signs in, and answers the last step.
    pub async fn sign_in(&self, next: &str) -> Step {
        let callback = self.until_callback(next).await;
        self.open(&callback).await
    }

    /// Whoever is signed in, as the API's client of this browser.
    pub async fn person(&self) -> TestClient {
        TestClient::with_cookie(&self.place, &self.login().expect("somebody is signed in")).await
    }
}
