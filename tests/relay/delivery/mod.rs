//! Webhooks to Transform: debounce, attempts, breaker, and deliveries that are given up.

mod breaker;
mod debounce;
mod given_up;
mod resolver;
mod webhooks;
mod wrong_responses;
