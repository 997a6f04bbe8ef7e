//! Signing in where there is no browser (RFC 8628): a code that is typed into one elsewhere. This end of it is the command
//! line's, which has no secret of the app.

use std::time::Duration;

use oauth2::basic::BasicClient;
use oauth2::{
    AuthType, ClientId, DeviceAuthorizationUrl, DeviceCodeErrorResponseType, RequestTokenError,
    StandardDeviceAuthorizationResponse, TokenResponse, TokenUrl,
};

use super::way::Way;
use super::{Fault, refused};

/// A sign-in that has begun, and waits for the person.
#[derive(Debug)]
pub struct Device {
    client_id: String,
    url: String,
    way: Way,
    began: StandardDeviceAuthorizationResponse,
}

/// Why nobody was signed in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSignedIn {
    /// The person said no.
    #[error("GitHub was told not to say who you are")]
    Denied,
    /// The person took too long.
    #[error("the code is too old; begin again")]
    Expired,
    /// GitHub had something against it.
    #[error(transparent)]
    Fault(Fault),
}

type Refusal<T> = RequestTokenError<Fault, T>;

impl Device {
    /// Begins a sign-in to an app at the GitHub of this address.
    ///
    /// # Errors
    /// When GitHub does not answer, or the app allows no sign-in without a browser.
    pub async fn begin(url: &str, client_id: &str) -> Result<Self, NotSignedIn> {
        let way = Way::to(&[url]).map_err(|error| fault(Fault::Odd(error.to_string())))?;
        let address = DeviceAuthorizationUrl::new(format!("{url}/login/device/code"));
        let address = address.map_err(|error| fault(Fault::Odd(error.to_string())))?;
        let client = BasicClient::new(ClientId::new(client_id.to_owned()))
            .set_auth_type(AuthType::RequestBody)
            .set_device_authorization_url(address);
        let began = client.exchange_device_code().request_async(&way).await.map_err(|refusal| match refusal {
            Refusal::ServerResponse(answer) => fault(refused(answer.error())),
            other => fault(odd(other)),
        })?;
        Ok(Self { client_id: client_id.to_owned(), url: url.to_owned(), way, began })
    }

    /// What the person types in.
    #[must_use]
    pub fn code(&self) -> &str {
        self.began.user_code().secret()
    }

    /// Where they type it in.
    #[must_use]
    pub fn address(&self) -> &str {
        self.began.verification_uri().as_str()
    }

    /// For how long the code is good.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        self.began.expires_in()
    }

    /// Asks as often as GitHub allows whether the person has typed it in, and answers the token that says who they are.
    ///
    /// # Errors
    /// Why there will be none.
    pub async fn token(&self) -> Result<String, NotSignedIn> {
        let address = TokenUrl::new(format!("{}/login/oauth/access_token", self.url));
        let address = address.map_err(|error| fault(Fault::Odd(error.to_string())))?;
        let client = BasicClient::new(ClientId::new(self.client_id.clone()))
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(address);
        let asked = client.exchange_device_access_token(&self.began);
        let granted = asked.request_async(&self.way, tokio::time::sleep, Some(self.lasts())).await;
        match granted {
            Ok(granted) => Ok(granted.access_token().secret().clone()),
            Err(Refusal::ServerResponse(answer)) => Err(match answer.error() {
                DeviceCodeErrorResponseType::AccessDenied => NotSignedIn::Denied,
                DeviceCodeErrorResponseType::ExpiredToken => NotSignedIn::Expired,
                DeviceCodeErrorResponseType::Basic(word) => fault(refused(word)),
                // What the library waits for; it ends when the code does.
                DeviceCodeErrorResponseType::AuthorizationPending | DeviceCodeErrorResponseType::SlowDown => {
                    NotSignedIn::Expired
                }
            }),
            Err(other) => Err(fault(odd(other))),
        }
    }
}

fn fault(fault: Fault) -> NotSignedIn {
    NotSignedIn::Fault(fault)
}

fn odd<T: oauth2::ErrorResponse + 'static>(refusal: Refusal<T>) -> Fault {
    match refusal {
        RequestTokenError::Request(fault) => fault,
        RequestTokenError::Parse(error, _) => Fault::Odd(error.to_string()),
        RequestTokenError::Other(what) => Fault::Odd(what),
        RequestTokenError::ServerResponse(_) => Fault::Odd("a refusal of another kind".into()),
    }
}
