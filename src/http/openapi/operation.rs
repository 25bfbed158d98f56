//! An operation in the description: one method of one route.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::refusal::{
    BAD_HEAD, LACKS_ROLE, LARGE_HEAD, Refusal, SLOW_HEAD, UNAUTHORIZED, WRONG_METHOD, WRONG_TOO_OFTEN,
};
use crate::access::operators::Role;

/// The audience of a route: whose credentials it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// Nobody's, or those of the source or the client, which are no scheme of their own.
    Everybody,
    /// Transform's.
    Transform,
    /// The payment stack's, or those of an operator with this role.
    Integrator(Role),
    /// Those of an operator with this role; the payment stack's, while no operator is configured.
    Operator(Role),
    /// A monitor's, or an operator's; the payment stack's, while one of the two is not configured.
    Monitor,
    /// The same, for the details.
    Prober,
}

impl Audience {
    fn security(self) -> Value {
        let schemes: &[&str] = match self {
            Self::Everybody => &[],
            Self::Transform => &["transformBearer", "transformBasic"],
            Self::Integrator(_) | Self::Operator(_) => &["integratorBearer", "integratorBasic"],
            Self::Monitor | Self::Prober => &["monitorBearer", "integratorBearer", "integratorBasic"],
        };
        let none = (self == Self::Prober).then(|| json!({}));
        let operator = self.role().map(|role| json!({"operatorBearer": [role.name()]}));
        none.into_iter().chain(schemes.iter().map(|scheme| json!({*scheme: []}))).chain(operator).collect()
    }

    /// The role that an operator needs.
    const fn role(self) -> Option<Role> {
        match self {
            Self::Everybody | Self::Transform => None,
            Self::Integrator(role) | Self::Operator(role) => Some(role),
            Self::Monitor | Self::Prober => Some(Role::Look),
        }
    }

    const fn is_asked(self) -> bool {
        !matches!(self, Self::Everybody | Self::Prober)
    }
}

/// One method of one route.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    tag: &'static str,
    id: String,
    summary: String,
    description: Option<String>,
    audience: Audience,
    parameters: Vec<Value>,
    body: Option<Value>,
    pub(super) answers: BTreeMap<String, Answer>,
    pub(super) refusals: BTreeMap<u16, Refusal>,
}

impl Operation {
    /// An operation that everybody may call. It has the refusals that every request can get.
    pub(super) fn new(tag: &'static str, id: impl Into<String>, summary: impl Into<String>) -> Self {
        let operation = Self {
            tag,
            id: id.into(),
            summary: summary.into(),
            description: None,
            audience: Audience::Everybody,
            parameters: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
            refusals: BTreeMap::new(),
        };
        operation.refuses([BAD_HEAD, WRONG_METHOD, SLOW_HEAD, LARGE_HEAD])
    }

    /// Sets the audience. The credentials of an audience can be wrong, and can be wrong too often.
    pub(super) fn audience(self, audience: Audience) -> Self {
        let operation = Self { audience, ..self };
        let operation =
            if audience.is_asked() { operation.refuses([UNAUTHORIZED, WRONG_TOO_OFTEN]) } else { operation };
        if audience.is_asked() && audience.role().is_some() { operation.refuses([LACKS_ROLE]) } else { operation }
    }

    pub(super) fn describe(self, description: impl Into<String>) -> Self {
        Self { description: Some(description.into()), ..self }
    }

    pub(super) fn parameters(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// Sets the body that the operation reads.
    pub(super) fn reads(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// Adds an answer. It replaces a refusal of the same status.
    pub(super) fn answers(mut self, status: u16, answer: Answer) -> Self {
        self.refusals.remove(&status);
        self.answers.insert(status.to_string(), answer);
        self
    }

    /// Adds refusals. Each replaces another one of the same status.
    pub(super) fn refuses(mut self, refusals: impl IntoIterator<Item = Refusal>) -> Self {
        self.refusals.extend(refusals.into_iter().map(|refusal| (refusal.status, refusal)));
        self
    }

    /// The operation of HEAD beside that of GET.
    pub(super) fn into_head(self) -> Self {
        let answers = self.answers.into_iter().map(|(status, answer)| (status, answer.without_a_body())).collect();
        Self { id: format!("{}Head", self.id), answers, ..self }
    }

    /// The operation as the document has it, with these responses.
    pub(super) fn written(self, responses: Map<String, Value>) -> Value {
        let mut operation = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                operation.insert(name.to_owned(), value);
            }
        };
        put("tags", Some(json!([self.tag])));
        put("operationId", Some(self.id.into()));
        put("summary", Some(self.summary.into()));
        put("description", self.description.map(Value::from));
        put("security", Some(self.audience.security()));
        put("parameters", Some(self.parameters).filter(|all| !all.is_empty()).map(Value::from));
        put("requestBody", self.body);
        put("responses", Some(responses.into()));
        operation.into()
    }
}
