//! Hostile input: bodies, headers, requests and values that nobody with good intentions would send.

mod bodies;
mod endpoint_checks;
mod headers;
mod odd_requests;
mod other_unsigned_parts;
mod values;
mod xml_bombs;
