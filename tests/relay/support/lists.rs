//! The integrator's lists: parked events, findings, dead letters, deliveries given up, and a record's history.

use reqwest::Method;
use serde_json::Value;

use super::Relay;
use super::setup::INTEGRATOR_TOKEN;

impl Relay {
    /// GET /parked: the events that wait for a record.
    pub(crate) async fn parked(&self) -> Vec<Value> {
        self.pages("/parked", "parked").await
    }

    /// GET /findings
    pub(crate) async fn findings(&self) -> Vec<Value> {
        self.pages("/findings", "findings").await
    }

    /// GET /records: those that the query chooses.
    pub(crate) async fn records(&self, query: &str) -> Vec<Value> {
        self.pages(&format!("/records?{query}"), "records").await
    }

    /// GET /dead-letters/notifications
    pub(crate) async fn dead_letters(&self) -> Vec<Value> {
        self.pages("/dead-letters/notifications", "notifications").await
    }

    /// GET /dead-letters/deliveries
    pub(crate) async fn given_up(&self) -> Vec<Value> {
        self.pages("/dead-letters/deliveries", "deliveries").await
    }

    /// GET /records/{kind}/{id}/history
    pub(crate) async fn history(&self, kind: &str, id: &str) -> Value {
        self.read(&format!("/records/{kind}/{id}/history")).await
    }

    /// All entries of a list, page by page.
    async fn pages(&self, path: &str, entries: &str) -> Vec<Value> {
        let begin = if path.contains('?') { '&' } else { '?' };
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let mut page = self.read(&format!("{path}{begin}limit=1000{after}")).await;
            all.append(page[entries].as_array_mut().unwrap());
            match &page["next"] {
                Value::Null => return all,
                next => after = format!("&after={next}"),
            }
        }
    }

    async fn read(&self, path: &str) -> Value {
        let request = self.request(Method::GET, path).bearer_auth(INTEGRATOR_TOKEN);
        self.send(request).await.expect(200).json()
    }
}
