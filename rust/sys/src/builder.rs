//! Writes programs: typed methods that each append one [`Step`] and remember what it is called.

use crate::program::{Kind, NO_SLOT, OnError, Step, op};
use std::ffi::CString;

/// Number of a slot of the launch: a value known only then (an fd, an address), or passed between steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot(pub u8);

/// One argument of a step.
#[derive(Clone, Debug)]
pub enum Arg {
    /// The value itself.
    Value(u64),
    /// The value of a slot.
    Slot(Slot),
    /// The address of a string, kept in the program's data with a NUL behind it.
    Str(CString),
    /// The address of bytes kept in the program's data, 8-byte aligned.
    Bytes(Vec<u8>),
    /// The address of `struct sock_fprog` over these instruction bytes (8 each).
    Filter(Vec<u8>),
}

impl From<u64> for Arg {
    fn from(v: u64) -> Arg {
        Arg::Value(v)
    }
}
impl From<i32> for Arg {
    fn from(v: i32) -> Arg {
        Arg::Value(v as i64 as u64)
    }
}
impl From<u32> for Arg {
    fn from(v: u32) -> Arg {
        Arg::Value(v.into())
    }
}
impl From<Slot> for Arg {
    fn from(v: Slot) -> Arg {
        Arg::Slot(v)
    }
}
impl From<&str> for Arg {
    fn from(v: &str) -> Arg {
        // A NUL cannot be part of a path the kernel sees: what stands before it is all that would count.
        Arg::Str(CString::new(v.split('\0').next().unwrap_or_default()).unwrap_or_default())
    }
}
impl From<CString> for Arg {
    fn from(v: CString) -> Arg {
        Arg::Str(v)
    }
}

/// What a step is called in errors and timings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// What is done: `mount`, `join cgroup`, `exec`.
    pub step: &'static str,
    /// What it is done to: a path, a name.
    pub target: String,
}

/// Collects steps.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    steps: Vec<Step>,
    labels: Vec<Label>,
    data: Vec<u8>,
    relocations: Vec<(usize, usize)>,
    label: Option<Label>,
    opened: Vec<u8>,
    next_slot: u8,
}

/// First slot that [`Builder::slot`] gives out; those below are the launch's.
pub const FIRST_OWN_SLOT: u8 = 200;
/// One past the last of them; those from here on are the launch's again.
pub const LAST_OWN_SLOT: u8 = 236;

impl Builder {
    /// An empty program.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Names the steps that follow, until the next call.
    pub fn label(&mut self, step: &'static str, target: impl Into<String>) -> &mut Builder {
        self.label = Some(Label {
            step,
            target: target.into(),
        });
        self
    }

    /// A slot for a value that one step passes to a later one.
    pub fn slot(&mut self) -> Slot {
        let slot = FIRST_OWN_SLOT + self.next_slot;
        assert!(slot < LAST_OWN_SLOT, "a program has no more slots");
        self.next_slot += 1;
        Slot(slot)
    }

    /// Gives the slots taken since `first` back, for steps that do not use them any more.
    pub fn reuse_slots(&mut self, first: Slot) -> &mut Builder {
        self.next_slot = first.0 - FIRST_OWN_SLOT;
        self
    }

    /// Notes that a step leaves an fd in `slot`, to be closed if the program fails in the parent.
    pub(crate) fn opens(&mut self, slot: Slot) {
        if !self.opened.contains(&slot.0) {
            self.opened.push(slot.0);
        }
    }

    fn place(&mut self, bytes: &[u8]) -> usize {
        self.data.resize(self.data.len().next_multiple_of(8), 0);
        let at = self.data.len();
        self.data.extend_from_slice(bytes);
        at
    }

    fn argument(&mut self, arg: Arg) -> (Kind, u64) {
        match arg {
            Arg::Value(v) => (Kind::Value, v),
            Arg::Slot(s) => (Kind::Slot, s.0.into()),
            Arg::Str(s) => (Kind::Data, self.place(s.as_bytes_with_nul()) as u64),
            Arg::Bytes(b) => (Kind::Data, self.place(&b) as u64),
            Arg::Filter(code) => {
                let filter = self.place(&code);
                let mut head = [0u8; 16];
                head[..2].copy_from_slice(&((code.len() / 8) as u16).to_ne_bytes());
                let at = self.place(&head);
                self.relocations.push((at + 8, filter));
                (Kind::Data, at as u64)
            }
        }
    }

    /// Appends one step; what it returns goes to `out`.
    pub(crate) fn step<const N: usize>(
        &mut self,
        nr: u32,
        args: [Arg; N],
        on_error: OnError,
        out: Option<Slot>,
    ) -> &mut Builder {
        let mut step = Step {
            nr,
            kinds: [Kind::Value; 6],
            on_error,
            out: out.map_or(NO_SLOT, |s| s.0),
            args: [0; 6],
        };
        for (i, arg) in args.into_iter().enumerate() {
            (step.kinds[i], step.args[i]) = self.argument(arg);
        }
        self.steps.push(step);
        self.labels.push(self.label.clone().unwrap_or(Label {
            step: "start",
            target: String::new(),
        }));
        self
    }

    /// Appends one system call whose failure ends the program.
    pub(crate) fn call<const N: usize>(&mut self, nr: u32, args: [Arg; N]) -> &mut Builder {
        self.step(nr, args, OnError::Fail, None)
    }

    /// Appends one system call whose failure ends the program and whose result goes to `out`.
    pub(crate) fn call_into<const N: usize>(
        &mut self,
        out: Slot,
        nr: u32,
        args: [Arg; N],
    ) -> &mut Builder {
        self.step(nr, args, OnError::Fail, Some(out))
    }

    /// Closes the fd in a slot.
    pub fn close(&mut self, fd: Slot) -> &mut Builder {
        self.call(op::CLOSE, [u64::from(fd.0).into()])
    }

    /// The finished program.
    pub fn finish(mut self) -> Program {
        self.data.resize(self.data.len().next_multiple_of(8), 0);
        let mut data: Box<[u64]> = self
            .data
            .chunks_exact(8)
            .map(|c| u64::from_ne_bytes(c.try_into().expect("eight bytes")))
            .collect();
        let base = data.as_ptr() as u64;
        for (at, target) in &self.relocations {
            data[at / 8] = base + *target as u64;
        }
        Program {
            steps: self.steps.into(),
            labels: self.labels.into(),
            data,
            relocations: self.relocations.into(),
            opened: self.opened.into(),
        }
    }
}

/// A finished program: made once, run for each launch with that launch's slots.
#[derive(Debug)]
pub struct Program {
    steps: Box<[Step]>,
    labels: Box<[Label]>,
    // Holds addresses of itself (sock_fprog): the box must never be reallocated, and nothing here does.
    data: Box<[u64]>,
    /// Where in the data such an address is, and where of what.
    pub(crate) relocations: Box<[(usize, usize)]>,
    pub(crate) opened: Box<[u8]>,
}

impl Program {
    /// What each step is called, in order.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Number of steps.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// True when there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub(crate) fn data(&self) -> *const u8 {
        self.data.as_ptr().cast()
    }

    /// The same as bytes.
    pub(crate) fn data_bytes(&self) -> &[u8] {
        // SAFETY: words are as many bytes, and any bytes will do.
        unsafe { std::slice::from_raw_parts(self.data(), size_of_val(&*self.data)) }
    }
}
