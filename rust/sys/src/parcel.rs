//! A program with its launch's values, put together for a stub that has memory of its own (`crate::entry`).

use crate::builder::{Program, Slot};
use crate::clone::{CloneArgs, flags};
use crate::entry::Header;
use crate::program::{SLOTS, Step};
use std::ffi::CString;

/// What one launch puts into a slot.
pub enum Value {
    /// A number: an fd in the stub's table, an id.
    Number(u64),
    /// The address of a NULL-ended array of strings.
    Array(Vec<CString>),
    /// The address of what [`crate::builder::Builder::part`] clones with: a cgroup of version 2 to be born in.
    Clone(Option<i32>),
}

/// Header and bytes, as the stub reads them.
#[must_use]
pub fn parcel(program: &Program, values: Vec<(Slot, Value)>) -> Vec<u8> {
    let mut parcel = Parcel::default();
    parcel.bytes.resize(SLOTS * 8, u8::MAX);
    let steps = parcel.steps(program.steps());
    let data = parcel.place(program.data_bytes());
    for (at, target) in &program.relocations {
        parcel.point(data + at, data + target);
    }
    for (slot, value) in values {
        let place = usize::from(slot.0) * 8;
        match value {
            Value::Number(number) => parcel.put(place, number),
            Value::Array(list) => {
                let array = parcel.place(&vec![0; (list.len() + 1) * 8]);
                for (index, text) in list.iter().enumerate() {
                    let text = parcel.place(text.as_bytes_with_nul());
                    parcel.point(array + index * 8, text);
                }
                parcel.point(place, array);
            }
            Value::Clone(cgroup) => {
                let args = parcel.clone_args(cgroup);
                parcel.point(place, args);
            }
        }
    }
    let mut list = Vec::with_capacity(parcel.relocations.len() * 8);
    for place in &parcel.relocations {
        list.extend_from_slice(&(*place as u64).to_ne_bytes());
    }
    let relocations = parcel.place(&list);
    let header = [
        parcel.bytes.len(),
        steps,
        program.len(),
        data,
        0,
        relocations,
        parcel.relocations.len(),
    ];
    let mut whole: Vec<u8> = header
        .iter()
        .flat_map(|number| (*number as u64).to_ne_bytes())
        .collect();
    debug_assert_eq!(whole.len(), size_of::<Header>());
    whole.append(&mut parcel.bytes);
    whole
}

#[derive(Default)]
struct Parcel {
    bytes: Vec<u8>,
    relocations: Vec<usize>,
}

impl Parcel {
    /// Appends bytes, at a multiple of 8; where they are.
    fn place(&mut self, bytes: &[u8]) -> usize {
        let at = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(at, 0);
        self.bytes.extend_from_slice(bytes);
        at
    }

    fn put(&mut self, at: usize, word: u64) {
        self.bytes[at..at + 8].copy_from_slice(&word.to_ne_bytes());
    }

    /// Makes the word at `at` the address of what is at `target`.
    fn point(&mut self, at: usize, target: usize) {
        self.put(at, target as u64);
        self.relocations.push(at);
    }

    /// The steps in the layout of [`Step`], whose padding is no data.
    fn steps(&mut self, steps: &[Step]) -> usize {
        const _: () = assert!(size_of::<Step>() == 64 && std::mem::offset_of!(Step, args) == 16);
        let mut bytes = Vec::with_capacity(size_of_val(steps));
        for step in steps {
            bytes.extend_from_slice(&step.nr.to_ne_bytes());
            bytes.extend(step.kinds.map(|kind| kind as u8));
            bytes.extend([step.on_error as u8, step.out, 0, 0, 0, 0]);
            bytes.extend(step.args.iter().flat_map(|arg| arg.to_ne_bytes()));
        }
        self.place(&bytes)
    }

    /// A child of the stub's parent, whose pidfd is stored beside the arguments.
    fn clone_args(&mut self, cgroup: Option<i32>) -> usize {
        let into = cgroup.map_or(0, |_| flags::INTO_CGROUP);
        let args = CloneArgs {
            flags: flags::PARENT | flags::PIDFD | into,
            cgroup: cgroup.unwrap_or(0) as u64,
            ..CloneArgs::default()
        };
        let words = [
            args.flags,
            0,
            args.child_tid,
            args.parent_tid,
            args.exit_signal,
            args.stack,
            args.stack_size,
            args.tls,
            args.set_tid,
            args.set_tid_size,
            args.cgroup,
        ];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let at = self.place(&bytes);
        let pidfd = self.place(&[0; 8]);
        self.point(at + 8, pidfd);
        at
    }
}
