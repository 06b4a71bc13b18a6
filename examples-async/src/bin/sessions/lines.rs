//! Lines from a socket, of limited length.

use std::io::{self, ErrorKind};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// No request and no notice is as long as this.
const LONGEST: usize = 256;

pub(crate) struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    /// Whether `line` has been returned, and is to be begun anew.
    complete: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input: BufReader::with_capacity(1024, input), line: Vec::new(), complete: false }
    }

    /// The next line, without its end; `None` at the end of the input.
    ///
    /// It may be dropped at its `.await` and called again, as `select!` does: what was read is kept.
    ///
    /// # Errors
    ///
    /// If the socket fails, the input ends within a line, or a line is too long or not text.
    pub(crate) async fn next(&mut self) -> io::Result<Option<&str>> {
        if self.complete {
            self.complete = false;
            self.line.clear();
        }
        while !self.complete {
            let found = self.input.fill_buf().await?;
            if found.is_empty() {
                let whole = self.line.is_empty();
                return if whole { Ok(None) } else { Err(ErrorKind::UnexpectedEof.into()) };
            }
            let end = found.iter().position(|byte| *byte == b'\n');
            let part = &found[..end.unwrap_or(found.len())];
            if self.line.len() + part.len() > LONGEST {
                return Err(io::Error::new(ErrorKind::InvalidData, "a line is too long"));
            }
            self.line.extend_from_slice(part);
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            self.complete = end.is_some();
        }
        let text = std::str::from_utf8(&self.line);
        text.map(Some).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_one_by_one_and_whole() {
        let mut lines = Lines::new(&b"a\n\nbc\nd"[..]);
        assert_eq!(lines.next().await.unwrap(), Some("a"));
        assert_eq!(lines.next().await.unwrap(), Some(""));
        assert_eq!(lines.next().await.unwrap(), Some("bc"));
        assert_eq!(lines.next().await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!(Lines::new(&b""[..]).next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_too_long_or_not_text_is_refused() {
        let longest = "x".repeat(LONGEST);
        let text = format!("{longest}\n{longest}x\n");
        let mut lines = Lines::new(text.as_bytes());
        assert_eq!(lines.next().await.unwrap(), Some(&*longest));
        assert_eq!(lines.next().await.unwrap_err().kind(), ErrorKind::InvalidData);
        let mut lines = Lines::new(&b"\xff\n"[..]);
        assert_eq!(lines.next().await.unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[tokio::test]
    async fn a_call_that_was_dropped_loses_nothing() {
        let (mut far, near) = tokio::io::duplex(16);
        let mut lines = Lines::new(near);
        tokio::io::AsyncWriteExt::write_all(&mut far, b"be").await.unwrap();
        let waited = std::time::Duration::from_millis(10);
        assert!(tokio::time::timeout(waited, lines.next()).await.is_err());
        tokio::io::AsyncWriteExt::write_all(&mut far, b"gun\n").await.unwrap();
        assert_eq!(lines.next().await.unwrap(), Some("begun"));
    }
}
