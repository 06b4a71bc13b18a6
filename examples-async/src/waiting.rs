//! Waiting for what others bring about.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Longer than anything takes that is going to come true, on a loaded machine as well.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks every millisecond until this holds.
///
/// # Errors
///
/// A message that says what was waited for, if it did not come true in half a minute.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) -> Result<(), String> {
    let begun = Instant::now();
    while !holds() {
        if begun.elapsed() > PATIENCE {
            return Err(format!("waited {} s in vain for {what}", PATIENCE.as_secs()));
        }
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Waits for a future, but not for ever.
///
/// # Errors
///
/// As [`until`].
pub async fn finished<F: Future>(what: &str, future: F) -> Result<F::Output, String> {
    let in_vain = |_| format!("waited {} s in vain for {what}", PATIENCE.as_secs());
    tokio::time::timeout(PATIENCE, future).await.map_err(in_vain)
}
