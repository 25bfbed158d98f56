//! The configuration of a relay under test.

use std::fmt::Write;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The credentials of Transform and of the integrator.
pub(crate) const TRANSFORM_TOKEN: &str = "transform-token-5b1f";
pub(crate) const TRANSFORM_PASSWORD: &str = "transform-password-77aa";
pub(crate) const INTEGRATOR_TOKEN: &str = "integrator-token-c0de";
pub(crate) const INTEGRATOR_PASSWORD: &str = "integrator-password-31f4";

/// Tokens of operators who look, act and manage.
pub(crate) const OPERATOR_TOKENS: [&str; 3] =
    ["looking-operator-token-8a17", "acting-operator-token-52c0", "managing-operator-token-e9f4"];

/// The secrets that the sources share with their PSPs.
pub(crate) const STRIPE_SECRET: &str = "whsec_relay_current_0f9e";
pub(crate) const STRIPE_OLD_SECRET: &str = "whsec_relay_rolled_1d2c";
pub(crate) const STRIPE_TWO_SECRET: &str = "whsec_relay_second_account_44";
pub(crate) const ADYEN_SECRET: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
/// The secret of an Adyen source that knows the PSP's addresses too, so that they vouch for unsigned parts.
pub(crate) const ADYEN_KNOWN_SECRET: &str = "0C3B3C0B1F2E4D5C6B7A8998A7B6C5D4E3F201122334455667788990AABBCCDD";
pub(crate) const MEDIA_SECRET: &str = "media-hmac-key-93e1";
pub(crate) const MEDIA_PASSWORD: &str = "media-password-60b2-f7c1";
pub(crate) const MEDIA_HEADERS: [(&str, &str); 2] =
    [("Test", "test-header-value-a1"), ("X-Tenant", "tenant-value-b2-e5e5e5")];
pub(crate) const DIGITAL_RIVER_SECRET: &str = "digital-river-secret-2e2e";
pub(crate) const POINTING_SECRET: &str = "pointing-secret-7c7c";
pub(crate) const API_TOKEN: &str = "api-token-19d3";

/// All of the secrets above, by name: none may ever be printed, and the output of every process of the suite is searched
/// for them.
pub(crate) const SECRETS: [(&str, &str); 19] = [
    ("TRANSFORM_TOKEN", TRANSFORM_TOKEN),
    ("TRANSFORM_PASSWORD", TRANSFORM_PASSWORD),
    ("INTEGRATOR_TOKEN", INTEGRATOR_TOKEN),
    ("INTEGRATOR_PASSWORD", INTEGRATOR_PASSWORD),
    ("OPERATOR_TOKENS, the first", OPERATOR_TOKENS[0]),
    ("OPERATOR_TOKENS, the second", OPERATOR_TOKENS[1]),
    ("OPERATOR_TOKENS, the third", OPERATOR_TOKENS[2]),
    ("STRIPE_SECRET", STRIPE_SECRET),
    ("STRIPE_OLD_SECRET", STRIPE_OLD_SECRET),
    ("STRIPE_TWO_SECRET", STRIPE_TWO_SECRET),
    ("ADYEN_SECRET", ADYEN_SECRET),
    ("ADYEN_KNOWN_SECRET", ADYEN_KNOWN_SECRET),
    ("MEDIA_SECRET", MEDIA_SECRET),
    ("MEDIA_PASSWORD", MEDIA_PASSWORD),
    ("MEDIA_HEADERS, the first", MEDIA_HEADERS[0].1),
    ("MEDIA_HEADERS, the second", MEDIA_HEADERS[1].1),
    ("DIGITAL_RIVER_SECRET", DIGITAL_RIVER_SECRET),
    ("POINTING_SECRET", POINTING_SECRET),
    ("API_TOKEN", API_TOKEN),
];

/// Options of a relay; the default is quick and fits most tests. An empty text or 0 leaves the setting at its default.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) quiet: &'static str,
    pub(crate) max_wait: &'static str,
    pub(crate) max_body: &'static str,
    pub(crate) grace: &'static str,
    pub(crate) timeout: &'static str,
    pub(crate) concurrency: u32,
    pub(crate) failed_as: &'static str,
    pub(crate) retry_first: &'static str,
    pub(crate) retry_max: &'static str,
    pub(crate) breaker_failures: u32,
    pub(crate) give_up_after: &'static str,
    pub(crate) throttle_failures: u32,
    /// Another host that webhooks may go to.
    pub(crate) also_allowed: Option<String>,
    /// Whether transform.webhook_target is configured.
    pub(crate) default_target: bool,
    /// Further lines at the end of the file.
    pub(crate) more: String,
    /// Further variables of the environment.
    pub(crate) environment: Vec<(String, String)>,
    /// Commands that the shell runs before it starts the relay.
    pub(crate) before: String,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            quiet: "30ms",
            max_wait: "",
            max_body: "",
            grace: "20s",
            timeout: "30s",
            concurrency: 0,
            failed_as: "",
            retry_first: "20ms",
            // The breaker's too, whose default is shorter.
            retry_max: "1h",
            breaker_failures: 0,
            give_up_after: "",
            // Tests are often wrong on purpose, all from one address.
            throttle_failures: 1_000_000,
            also_allowed: None,
            default_target: true,
            more: String::new(),
            environment: Vec::new(),
            before: String::new(),
        }
    }
}

impl Setup {
    /// For tests in which no webhook is to be sent.
    pub(crate) fn silent() -> Self {
        Self { quiet: "1h", max_wait: "1h", ..Self::default() }
    }

    /// The same, with the source `adyen-known`. It lets only the PSP's addresses in, so that they vouch for unsigned parts.
    pub(crate) fn with_known_adyen() -> Self {
        let source = "[sources.adyen-known]\nprofile = \"adyen\"\nip_ranges = [\"127.0.0.0/8\"]\n";
        Self { more: format!("{source}secrets = [\"{ADYEN_KNOWN_SECRET}\"]\n"), ..Self::silent() }
    }

    /// The configuration file.
    pub(crate) fn text(&self, folder: &Path, transform: &str) -> String {
        let target = format!("webhook_target = \"http://{transform}/PSPWebhooks/ExternalIntegration\"\n");
        let mut text = format!(
            r#"[server]
listen = "127.0.0.1:0"
{}max_buffered = "1GiB"
shutdown_grace = "{}"

[store]
path = "{}"

[debounce]
quiet = "{}"
{}
[transform]
{}allowed_hosts = ["{transform}"{}]
tokens = ["another-{TRANSFORM_TOKEN}", "{TRANSFORM_TOKEN}"]
basic = {{ username = "transform", password = "{TRANSFORM_PASSWORD}" }}
timeout = "{}"
{}{}
[transform.retry]
first = "{}"
{}{}
[transform.breaker]
{}first = "{}"
{}
[throttle]
failures = {}

[integrator]
tokens = [{{ env = "RELAY_INTEGRATOR_TOKEN" }}]
basic = {{ username = "payment-stack", password = "{INTEGRATOR_PASSWORD}" }}
"#,
            text_of("max_body", self.max_body),
            self.grace,
            folder.join("relay.db").display(),
            self.quiet,
            text_of("max_wait", self.max_wait),
            if self.default_target { target.as_str() } else { "" },
            self.also_allowed.as_ref().map(|host| format!(", \"{host}\"")).unwrap_or_default(),
            self.timeout,
            number_of("concurrency", self.concurrency),
            text_of("failed_as", self.failed_as),
            self.retry_first,
            text_of("max", self.retry_max),
            text_of("give_up_after", self.give_up_after),
            number_of("failures", self.breaker_failures),
            self.retry_first,
            text_of("max", self.retry_max),
            self.throttle_failures,
        );
        let [one, two] = MEDIA_HEADERS;
        let sources = format!(
            r#"
[sources.stripe-main]
profile = "stripe"
secrets = ["{STRIPE_OLD_SECRET}", {{ env = "STRIPE_WEBHOOK_SECRET" }}]

[sources.stripe-two]
profile = "stripe"
secrets = ["{STRIPE_TWO_SECRET}"]

[sources.adyen-main]
profile = "adyen"
secrets = ["{ADYEN_SECRET}"]

[sources.media]
profile = "frisbii-media"
secrets = ["{MEDIA_SECRET}"]
basic = {{ username = "plenigo_test", password = {{ file = "{}" }} }}
headers = {{ {} = "{}", {} = "{}" }}

[sources.river]
profile = "digital-river"
secrets = ["{DIGITAL_RIVER_SECRET}"]
"#,
            folder.join("media-password").display(),
            one.0,
            one.1,
            two.0,
            two.1,
        );
        text.push_str(&sources);
        writeln!(text, "{}", self.more).unwrap();
        text
    }

    /// Writes the configuration file and the files that it names; returns its path.
    pub(crate) fn write(&self, folder: &Path, transform: &str) -> std::path::PathBuf {
        let file = folder.join("relay.toml");
        let password = folder.join("media-password");
        for (path, text) in [(&password, format!("{MEDIA_PASSWORD}\n")), (&file, self.text(folder, transform))] {
            std::fs::write(path, text).unwrap();
            // A reload warns of secrets that everybody can read.
            std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
        }
        file
    }

    /// The variables that the file names, and further ones.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let needed = [("RELAY_INTEGRATOR_TOKEN", INTEGRATOR_TOKEN), ("STRIPE_WEBHOOK_SECRET", STRIPE_SECRET)];
        let needed = needed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        needed.into_iter().chain(self.environment.iter().cloned()).collect()
    }
}

/// The line of a setting that is a text, unless its default is to hold.
fn text_of(key: &str, value: &str) -> String {
    if value.is_empty() { String::new() } else { format!("{key} = \"{value}\"\n") }
}

/// The line of a setting that is a number, unless its default is to hold.
fn number_of(key: &str, value: u32) -> String {
    if value == 0 { String::new() } else { format!("{key} = {value}\n") }
}

/// What a command prints, without the warning of the set-up's Adyen source: that source has a secret only.
#[track_caller]
pub(crate) fn beside_the_warning(printed: &str) -> String {
    let is_warning =
        |line: &&str| line.starts_with("not safe: sources.adyen-main: the PSP signs parts of the body only.");
    assert_eq!(printed.lines().filter(is_warning).count(), 1, "{printed}");
    printed.lines().filter(|line| !is_warning(line)).map(|line| format!("{line}\n")).collect()
}
