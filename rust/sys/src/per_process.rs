//! A value made once in each process, also in one forked while another thread was making it.

use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};
use std::time::Duration;

/// Holds the value. What it held before a fork stays, untouched and never dropped: its locks may be held by threads
/// that are not in the child.
pub struct PerProcess<T: 'static> {
    value: AtomicPtr<(i32, T)>,
    maker: AtomicI32,
}

impl<T: Send + Sync + 'static> PerProcess<T> {
    /// Nothing made yet.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> PerProcess<T> {
        PerProcess {
            value: AtomicPtr::new(std::ptr::null_mut()),
            maker: AtomicI32::new(0),
        }
    }

    /// This process's value, if it has one.
    pub fn get(&self) -> Option<&'static T> {
        // SAFETY: the pointer is null or from Box::leak in `get_or_make`, and what it points at is never freed.
        let (pid, value) = unsafe { self.value.load(Ordering::Acquire).as_ref() }?;
        (*pid == std::process::id() as i32).then_some(value)
    }

    /// This process's value; `make` makes it where there is none. Threads that come meanwhile wait.
    pub fn get_or_make<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&'static T, E> {
        let pid = std::process::id() as i32;
        loop {
            if let Some(value) = self.get() {
                return Ok(value);
            }
            // No lock: one that another thread holds at a fork would stay closed in the child.
            let maker = self.maker.load(Ordering::Acquire);
            if maker != pid
                && self
                    .maker
                    .compare_exchange(maker, pid, Ordering::AcqRel, Ordering::Acquire)
                    .is_ok()
            {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let made = match self.get() {
            Some(value) => Ok(value),
            None => make().map(|value| {
                let leaked: &'static mut (i32, T) = Box::leak(Box::new((pid, value)));
                self.value.store(leaked, Ordering::Release);
                &leaked.1
            }),
        };
        self.maker.store(0, Ordering::Release);
        made
    }
}
