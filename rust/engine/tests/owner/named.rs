//! Names under contention.
use std::io::{BufRead, BufReader};
use std::sync::Arc;

use fastbox_container::cgroup::Driver;
use fastbox_engine::owner::{Owner, StateError, names, reconcile};

use crate::support::{Place, start_victim};

#[test]
fn of_twenty_processes_exactly_one_gets_the_name() {
    let place = Place::new();
    // Twice: a free name, and then one whose holder was killed.
    for _ in 0..2 {
        let mut contenders: Vec<_> = (0..20).map(|_| start_victim(&place, "contender")).collect();
        let said: Vec<String> = contenders
            .iter_mut()
            .map(|contender| {
                let mut lines = BufReader::new(contender.stdout.take().unwrap()).lines();
                let mut said = lines.find_map(|line| {
                    let line = line.unwrap();
                    let at = line.find("won ").or(line.find("lost "))?;
                    Some(line[at..].to_owned())
                });
                said.take().unwrap()
            })
            .collect();
        let winners: Vec<&str> = said
            .iter()
            .filter_map(|line| line.strip_prefix("won "))
            .collect();
        let [winner] = winners[..] else {
            panic!("{said:?}")
        };
        let lost = format!(
            "lost Conflict. The container name \"/the-one\" is already in use by container \"{winner}\". \
             You have to remove (or rename) that container to be able to reuse that name."
        );
        assert_eq!(
            said.iter().filter(|line| **line == lost).count(),
            19,
            "{said:?}"
        );
        assert_eq!(
            names::find(&place.paths, "the-one").unwrap(),
            Some((winner.to_owned(), winner.to_owned()))
        );
        for contender in &mut contenders {
            contender.kill().unwrap();
            contender.wait().unwrap();
        }
        assert_eq!(names::find(&place.paths, "the-one").unwrap(), None);
    }
    assert_eq!(reconcile(&place.paths, &Driver::probe()).cleaned.len(), 40);
    place.assert_clean();
}

#[test]
fn a_name_comes_back_and_nonsense_in_its_place_is_no_obstacle() {
    let place = Place::new();
    let owner = Arc::new(Owner::register(&place.paths).unwrap());
    let reserve = || names::reserve(&place.paths, "web", &owner, "c1");
    let guard = reserve().unwrap();
    assert!(matches!(reserve(), Err(StateError::NameConflict { .. })));
    drop(guard);
    for plant in ["nowhere", "../../../etc", "0123456789abcdef/x"] {
        std::os::unix::fs::symlink(plant, place.paths.names().join("web")).unwrap();
        drop(reserve().unwrap());
    }
    std::fs::write(place.paths.names().join("web"), "x").unwrap();
    drop(reserve().unwrap());
    assert!(matches!(
        names::reserve(&place.paths, "../x", &owner, "c1"),
        Err(StateError::InvalidName { .. })
    ));
    Arc::into_inner(owner).unwrap().unregister().unwrap();
    place.assert_clean();
}
