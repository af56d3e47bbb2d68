//! How much one read serves.

/// Room left on a page: at most `limit` items and, but for the first, `bytes_max` bytes. So every read moves on, and
/// none grows beyond what its caller can send.
pub(crate) struct Page {
    items_left: u32,
    bytes_left: usize,
    empty: bool,
}

impl Page {
    pub(crate) fn new(limit: u32, bytes_max: usize) -> Self {
        Self { items_left: limit, bytes_left: bytes_max, empty: true }
    }

    /// Whether one more item of so many bytes fits; if so, it is counted. After the first false the page is done.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let fits = self.items_left > 0 && (self.empty || bytes <= self.bytes_left);
        if fits {
            self.items_left -= 1;
            self.bytes_left = self.bytes_left.saturating_sub(bytes);
            self.empty = false;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_item_always_fits_and_the_others_only_with_room() {
        let mut page = Page::new(3, 10);
        assert!(page.take(100) && !page.take(1) && page.take(0));
        let mut page = Page::new(2, 10);
        assert!(page.take(5) && page.take(5) && !page.take(0));
        assert!(!Page::new(0, 10).take(0));
    }
}
