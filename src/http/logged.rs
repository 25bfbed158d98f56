//! Middleware that has each refusal logged when it is answered.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use super::state::State;
use super::why::Why;

/// Logs an answer that is a refusal.
pub(super) async fn logged<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let answer = next.call(request).await?;
    if let Some(why) = answer.response().extensions().get::<Why>()
        && let Some(state) = answer.request().app_data::<web::Data<State>>()
    {
        let now = state.clock.now().steady;
        let in_force = state.in_force.load_full();
        state.refusals.tell(answer.request(), &in_force, now, answer.status().as_u16(), why);
    }
    Ok(answer)
}
