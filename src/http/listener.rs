//! The two addresses of the relay: which of them has which routes.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, Resource, web};

use super::problem::Problem;
use super::why::OTHER_ADDRESS;

/// A listening address, by the routes that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listener {
    /// `server.listen`, where no `server.admin_listen` is configured: all routes.
    Only,
    /// `server.listen` beside `server.admin_listen`: the routes of PSPs and Transform.
    Public,
    /// `server.admin_listen`: all other routes.
    Admin,
}

/// The clients of a route, by the address that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clients {
    /// PSPs and Transform.
    Outside,
    /// The payment stack, monitors and operators.
    Inside,
    /// Probes: the route is at both addresses.
    Everybody,
}

impl Listener {
    /// Whether this address has the routes of these clients.
    pub(super) const fn has(self, clients: Clients) -> bool {
        match (self, clients) {
            (Self::Only, _) | (_, Clients::Everybody) => true,
            (Self::Public, Clients::Outside) | (Self::Admin, Clients::Inside) => true,
            (Self::Public, Clients::Inside) | (Self::Admin, Clients::Outside) => false,
        }
    }

    /// Adds a route. If it belongs to the other address, it answers 404 here, whatever is asked.
    pub(super) fn add(self, config: &mut web::ServiceConfig, clients: Clients, resource: Resource) {
        if self.has(clients) {
            config.service(resource);
        } else {
            config.service(resource.wrap(from_fn(move |request, next| self.refuse(request, next))));
        }
    }

    /// The refusal of a route that the other address has.
    pub(super) fn elsewhere(self) -> Problem {
        let (here, there) = match self {
            Self::Admin => ("server.admin_listen", "server.listen"),
            Self::Only | Self::Public => ("server.listen", "server.admin_listen"),
        };
        Problem::new(404, "there is no such route at this address")
            .because(OTHER_ADDRESS, format!("this route is not at {here}: send the request to {there}"))
    }

    /// Refuses a request for a route that the other address has. Its handler is not asked.
    async fn refuse<B: MessageBody>(
        self,
        request: ServiceRequest,
        _next: Next<B>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        Ok(request.into_response(self.elsewhere().response()))
    }
}
