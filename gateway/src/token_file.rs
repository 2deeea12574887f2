//! The tokens file, read anew when it changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::sync::watch;

use crate::GatewayError;
use crate::tokens::Tokens;

/// What names the file.
const SETTING: &str = "LIFESTREAM_GATEWAY_TOKENS_FILE";
/// How often the file is looked at: a token that was taken out works no longer than this.
const INTERVAL: Duration = Duration::from_secs(1);
/// Beyond it, the file is no list of tokens.
const MOST_BYTES: u64 = 1 << 20;

/// What is in force.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Those of the last file that made sense.
    pub tokens: Arc<Tokens>,
    /// Why the file as it is now is not the one in force.
    pub trouble: Option<String>,
}

/// Follows the file.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    /// As it was read last, good or bad.
    read: Result<Vec<u8>, String>,
    loaded: watch::Sender<Loaded>,
}

impl TokenFile {
    /// Reads it.
    ///
    /// # Errors
    /// A setting is missing or wrong: without a token nobody may write.
    pub async fn open(path: Option<&Path>) -> Result<(Self, watch::Receiver<Loaded>), GatewayError> {
        let path = path.ok_or_else(|| {
            GatewayError::Setting(format!(
                "{SETTING} is not set, and without a token nobody may write. To make one: \
                 (umask 077; echo \"phone:$(openssl rand -hex 24)\" >> tokens), then {SETTING}=tokens"
            ))
        })?;
        let (bytes, tokens) = load(path).await?;
        let tokens = Arc::new(tokens);
        warn_of_readers(path).await;
        let (loaded, receiver) = watch::channel(Loaded { tokens, trouble: None });
        Ok((Self { path: path.to_owned(), read: Ok(bytes), loaded }, receiver))
    }

    /// Looks again and again, until nobody needs to know any more.
    pub async fn follow(mut self) {
        let mut interval = tokio::time::interval(INTERVAL);
        while !self.loaded.is_closed() {
            interval.tick().await;
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let read = read(&self.path).await;
        if read == self.read {
            return;
        }
        let path = self.path.display();
        match read.as_ref().map_err(Clone::clone).and_then(|bytes| parse(bytes)) {
            Ok(tokens) => {
                tracing::info!("{path} has changed: in force are the tokens of {}", tokens.names());
                warn_of_readers(&self.path).await;
                self.loaded.send_replace(Loaded { tokens: Arc::new(tokens), trouble: None });
            }
            // Half a file that an editor is just writing must lock nobody out.
            Err(reason) => {
                tracing::error!("{path}: {reason}; the tokens that it held before stay in force");
                self.loaded.send_modify(|loaded| loaded.trouble = Some(reason));
            }
        }
        self.read = read;
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = tokio::fs::File::open(path).await.map_err(|error| error.to_string())?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).await.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("it is larger than {} MiB", MOST_BYTES >> 20));
    }
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Result<Tokens, String> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| format!("it is not UTF-8 (at byte {})", error.valid_up_to() + 1))?;
    Tokens::parse(text)
}

/// What a tokens file holds, for whoever checks a set-up.
#[derive(Debug)]
pub struct TokensSeen {
    /// Whose tokens: names, with commas between them.
    pub names: String,
    /// Whether every account of this machine can read them.
    pub open_to_all: bool,
}

/// Reads a tokens file once.
///
/// # Errors
/// It cannot be read, or makes no sense: the words name the line, and never a token.
pub async fn look_at_tokens(path: &Path) -> Result<TokensSeen, GatewayError> {
    let (_, tokens) = load(path).await?;
    Ok(TokensSeen { names: tokens.names(), open_to_all: is_open_to_all(path).await })
}

async fn load(path: &Path) -> Result<(Vec<u8>, Tokens), GatewayError> {
    let refused = |reason: String| GatewayError::Setting(format!("{SETTING}: {}: {reason}", path.display()));
    let bytes = read(path).await.map_err(refused)?;
    let tokens = parse(&bytes).map_err(refused)?;
    Ok((bytes, tokens))
}

async fn is_open_to_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    tokio::fs::metadata(path).await.is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

async fn warn_of_readers(path: &Path) {
    if is_open_to_all(path).await {
        let path = path.display();
        tracing::warn!("{path} can be read by every account of this machine: chmod 600 {path}");
    }
}
