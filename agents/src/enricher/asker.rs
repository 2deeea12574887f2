//! Asks until an answer is good, or has been bad too often.

use super::answer::{self, Answer};
use super::budget;
use super::client::{Api, Trouble};
use super::page::Page;
use super::prompt;
use super::tags::KnownTags;
use crate::runner::Failure;

/// How often it is asked again after a bad answer, with what was wrong.
const AGAIN: usize = 2;
/// How often the text is halved for a model that takes in less than was thought.
const HALVED: usize = 3;

/// The model's checked answer about a page.
///
/// # Errors
/// Answers that stay bad are the page's own failure (a page can bring a model to write anything), and permanent: they
/// must not count against the API, or one page could stop the others'.
pub async fn ask(api: &Api, page: &Page, known: &KnownTags) -> Result<Answer, Failure> {
    let mut tokens = budget::of(api.model());
    let (mut complaint, mut bad, mut halved): (Option<&str>, _, _) = (None, 0, 0);
    loop {
        let text = budget::cut(&page.text, tokens);
        let mut messages = prompt::question(page, text, known);
        messages.extend(complaint.map(prompt::again));
        let reply = match api.complete(&messages).await {
            Ok(reply) => reply,
            Err(Trouble::TooLong) if halved < HALVED => {
                halved += 1;
                tokens = budget::tokens(text) / 2;
                continue;
            }
            Err(Trouble::TooLong) => {
                let error = format!(
                    "{} does not take even {} bytes of this text: it was halved {HALVED} times",
                    api.model(),
                    text.len()
                );
                return Err(Failure::Permanent { error });
            }
            Err(Trouble::Fails(failure)) => return Err(failure),
        };
        let wrong = match answer::read(&reply.text, known) {
            _ if api.is_revealed_by(&reply.text) => "it holds what it must not",
            Ok(answer) => return Ok(answer),
            Err(_) if reply.cut_off => "it was cut off; be brief",
            Err(wrong) => wrong,
        };
        if bad == AGAIN {
            let error = format!("{} gave no usable answer, asked {} times: {wrong}", api.model(), AGAIN + 1);
            return Err(Failure::Permanent { error });
        }
        bad += 1;
        complaint = Some(wrong);
        tracing::debug!(model = api.model(), wrong, "a bad answer");
    }
}
