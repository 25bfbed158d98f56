//! Unread bodies in chunks: such a body ends its connection.
//!
//! actix would go on reading such a body after the answer, without a limit of size or time. Anybody could hold connections
//! for ever. actix closes the connection if the payload still exists when the answer is out, as it does for bodies of a
//! known length. So the answer's body keeps the payload.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage};
use futures_core::Stream;

/// A payload that a handler reads and its answer keeps.
#[derive(Clone)]
struct Shared(Rc<RefCell<Payload>>);

impl Stream for Shared {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(context)
    }
}

struct Keeping {
    body: BoxBody,
    _payload: Shared,
}

impl MessageBody for Keeping {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

pub(super) async fn ends_the_connection<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse, Error> {
    if !request.headers().contains_key("transfer-encoding") {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let payload = Shared(Rc::new(RefCell::new(request.take_payload())));
    request.set_payload(Payload::Stream { payload: Box::pin(payload.clone()) });
    let answer = next.call(request).await?;
    Ok(answer.map_body(|_, body| BoxBody::new(Keeping { body: body.boxed(), _payload: payload })))
}
