//! At the start of a command that lists or creates: what is there, less what lives.
use std::path::Path;

use fastbox_container::cgroup::{self, Driver};
use nix::fcntl::{Flock, FlockArg};

use super::clean::{Meeting, Outcome, clean, remove_cgroups};
use super::directory::{self, is_owner};
use super::error::StateError;
use super::identity::{Identity, Life};
use super::register::tag;
use super::remove::{open_for_lock, remove_tree};
use crate::logging::event;
use crate::paths::Paths;

/// What reconciling did.
#[derive(Debug, Default)]
pub struct Reconciled {
    /// Ids of dead owners of whom nothing is left now.
    pub cleaned: Vec<String>,
    /// What could not be removed: to be told, and no reason to stop.
    pub errors: Vec<StateError>,
}

impl Reconciled {
    /// Tells of it as events.
    pub fn tell(&self) {
        for owner in &self.cleaned {
            event!(Info, "cleared what the ended process {owner} had left");
        }
        for error in &self.errors {
            event!(Warn, "not all of ended processes could be cleared: {error}");
        }
    }

    fn note(&mut self, owner: &str, result: Result<(), StateError>) {
        match result {
            Ok(()) => self.cleaned.push(owner.to_owned()),
            Err(error) => self.errors.push(error),
        }
    }
}

/// Cleans up after every dead owner: those with a directory, and upper directories and cgroups whose owner has none
/// (the run directory was emptied). Skips what another process is cleaning.
pub fn reconcile(paths: &Paths, driver: &Driver) -> Reconciled {
    let here = Identity::current();
    let mut done = Reconciled::default();
    // In this order: an owner's directory is made before, and removed after, all else it has. So what is seen here
    // and has no directory by the time those are listed has lost its owner.
    let tag = tag(paths);
    let mut groups = cgroup::owners(driver);
    groups.retain(|owner| is_owner(owner) && owner.starts_with(&tag));
    let uppers = list(&mut done, &paths.uppers(), &here).unwrap_or_default();
    let Some(owners) = list(&mut done, &paths.owners(), &here) else {
        return done;
    };
    for owner in &owners {
        match directory::life(&paths.owners().join(owner), &here) {
            Ok(Life::Dead) => match clean(paths, driver, owner, Meeting::Skip) {
                Ok(Outcome::Gone) => done.cleaned.push(owner.clone()),
                Ok(Outcome::Lives | Outcome::Busy) => {}
                Err(error) => done.errors.push(error),
            },
            Ok(Life::Alive | Life::Elsewhere) => {}
            Err(error) => done.errors.push(error),
        }
    }
    for owner in uppers.iter().filter(|owner| !owners.contains(owner)) {
        // An owner of another run directory may use the same store: its upper directories say whose they are.
        let dir = paths.uppers().join(owner);
        if matches!(directory::life(&dir, &here), Ok(Life::Dead))
            && let Some(_lock) = try_lock(&dir)
        {
            let result = remove_tree(&paths.uppers(), owner);
            done.note(owner, result);
        }
    }
    for owner in groups.iter().filter(|owner| !owners.contains(owner)) {
        let result = remove_cgroups(paths, driver, owner);
        done.note(owner, result);
    }
    done
}

/// The owners that have a directory in `parent`; removes what processes left that died while making one. None where
/// it cannot be told, and so nobody may be taken for gone.
fn list(done: &mut Reconciled, parent: &Path, here: &Identity) -> Option<Vec<String>> {
    match directory::list(parent, here) {
        Ok((owners, abandoned)) => {
            for name in &abandoned {
                if let Err(error) = remove_tree(parent, name) {
                    done.errors.push(error);
                }
            }
            Some(owners)
        }
        Err(error) => {
            done.errors.push(error);
            None
        }
    }
}

fn try_lock(dir: &Path) -> Option<Flock<std::fs::File>> {
    Flock::lock(open_for_lock(dir).ok()?, FlockArg::LockExclusiveNonblock).ok()
}
