//! The only module that starts threads: one pool, one budget, ordered results, and the user's stop.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use crate::{Error, Result};

/// A piece of work among others that depend on each other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Piece {
    /// Pieces that must be done first, by index; all smaller than its own.
    pub needs: Vec<usize>,
    /// What it takes of the budget while it is done.
    pub cost: u64,
}

/// What is still to be done of a graph of pieces.
struct Queue {
    waiting: BTreeSet<usize>,
    done: Vec<bool>,
    running: usize,
    spent: u64,
}

impl Queue {
    /// The first piece that may start now; one that costs more than the whole budget is done alone.
    fn next(&mut self, pieces: &[Piece], budget: u64) -> Option<usize> {
        let ready = |i: &&usize| {
            let piece = &pieces[**i];
            piece.needs.iter().all(|n| self.done[*n])
                && (self.running == 0 || self.spent.saturating_add(piece.cost) <= budget)
        };
        let i = *self.waiting.iter().find(ready)?;
        self.waiting.remove(&i);
        self.running += 1;
        self.spent += pieces[i].cost;
        Some(i)
    }
}

/// Does something when it goes.
struct Freed<F: Fn()>(F);

impl<F: Fn()> Drop for Freed<F> {
    fn drop(&mut self) {
        self.0();
    }
}

/// Runs work on a fixed number of threads. Results come in the order of the items and do not depend
/// on the number of threads.
#[derive(Debug, Clone)]
pub struct Exec {
    pool: Arc<rayon::ThreadPool>,
    stop: Arc<AtomicBool>,
}

impl Exec {
    /// A pool of `threads` threads (all processors when `None`).
    ///
    /// # Errors
    /// [`Error::Parameter`] for 0, or where threads cannot be started.
    pub fn new(threads: Option<usize>) -> Result<Self> {
        if threads == Some(0) {
            return Err(Error::parameter("the number of threads must be at least 1"));
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.unwrap_or(0))
            .build()
            .map_err(|e| Error::parameter(format!("cannot start threads: {e}")))?;
        Ok(Self {
            pool: Arc::new(pool),
            stop: Arc::default(),
        })
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Flag that a signal handler sets to stop the work.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Whether the user asked to stop.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub fn check(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            Err(Error::Interrupted)
        } else {
            Ok(())
        }
    }

    /// Applies `f` to every item, in parallel; results in the order of the items.
    pub fn map<I: Send, T: Send>(&self, items: Vec<I>, f: impl Fn(I) -> T + Sync + Send) -> Vec<T> {
        if self.threads() == 1 || items.len() < 2 {
            return items.into_iter().map(f).collect();
        }
        self.pool.install(|| items.into_par_iter().map(f).collect())
    }

    /// As [`Exec::map`] for fallible work: the first error in item order, or the user's stop.
    ///
    /// # Errors
    /// What `f` returns, or [`Error::Interrupted`].
    pub fn try_map<I: Send, T: Send>(
        &self,
        items: Vec<I>,
        f: impl Fn(I) -> Result<T> + Sync + Send,
    ) -> Result<Vec<T>> {
        self.map(items, |item| self.check().and_then(|()| f(item)))
            .into_iter()
            .collect()
    }

    /// Runs two jobs, in parallel where there are threads for it.
    pub fn join<A: Send, B: Send>(
        &self,
        a: impl FnOnce() -> A + Send,
        b: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        if self.threads() == 1 {
            (a(), b())
        } else {
            self.pool.install(|| rayon::join(a, b))
        }
    }

    /// Does pieces of work that depend on each other: each once those it needs are done, several at a time while
    /// they stay within `budget`. Results in the order of the pieces; each piece may use this pool itself.
    pub fn graph<T: Send>(
        &self,
        pieces: &[Piece],
        budget: u64,
        work: impl Fn(usize) -> T + Sync,
    ) -> Vec<T> {
        if self.threads() == 1 {
            return (0..pieces.len()).map(work).collect();
        }
        let queue = Mutex::new(Queue {
            waiting: (0..pieces.len()).collect(),
            done: vec![false; pieces.len()],
            running: 0,
            spent: 0,
        });
        let changed = Condvar::new();
        let results = Mutex::new(Vec::new());
        let lock =
            || -> MutexGuard<'_, Queue> { queue.lock().unwrap_or_else(PoisonError::into_inner) };
        let worker = || {
            loop {
                let mut state = lock();
                let i = loop {
                    if state.waiting.is_empty() {
                        return;
                    }
                    match state.next(pieces, budget) {
                        Some(i) => break i,
                        None => {
                            state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                        }
                    }
                };
                drop(state);
                // also where the work panics, or the others would wait for it
                let _freed = Freed(|| {
                    let mut state = lock();
                    state.done[i] = true;
                    state.running -= 1;
                    state.spent -= pieces[i].cost;
                    drop(state);
                    changed.notify_all();
                });
                let result = work(i);
                let mut all = results.lock().unwrap_or_else(PoisonError::into_inner);
                all.push((i, result));
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.threads() {
                scope.spawn(worker);
            }
            worker();
        });
        let mut all = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        all.sort_by_key(|(i, _)| *i);
        all.into_iter().map(|(_, result)| result).collect()
    }

    /// Runs `beside` on a thread of its own while `work` runs here; with one thread, `beside` is not
    /// run and `work` is told so. What `beside` makes reaches `work` through the channel, in order,
    /// at most `ahead` items before they are asked for.
    pub fn feed<I: Send, T>(
        &self,
        ahead: usize,
        beside: impl FnOnce(&dyn Fn(I) -> bool) + Send,
        work: impl FnOnce(Option<&std::sync::mpsc::Receiver<I>>) -> T,
    ) -> T {
        if self.threads() == 1 {
            return work(None);
        }
        let (sender, receiver) = std::sync::mpsc::sync_channel(ahead);
        std::thread::scope(|scope| {
            scope.spawn(move || beside(&|item| sender.send(item).is_ok()));
            let out = work(Some(&receiver));
            // ends a producer that waits
            drop(receiver);
            out
        })
    }

    /// Rows a strip should have so that every thread gets several and none is tiny.
    pub fn strip_rows(&self, ny: usize) -> usize {
        ny.div_ceil(self.threads() * 8).max(8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_depend_on_threads() {
        for n in [1, 2, 7] {
            let exec = Exec::new(Some(n)).unwrap();
            let out = exec.map((0..100).collect(), |i: u32| i * i);
            assert_eq!(out, (0..100).map(|i| i * i).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_fed_worker_gets_items_in_order_and_may_stop_early() {
        let exec = Exec::new(Some(2)).unwrap();
        let produce = |send: &dyn Fn(u32) -> bool| {
            for i in 0..1000 {
                if !send(i) {
                    return;
                }
            }
        };
        let got = exec.feed(2, produce, |r| {
            r.map(|r| (r.recv().unwrap(), r.recv().unwrap()))
        });
        assert_eq!(got, Some((0, 1)));
        let alone = Exec::new(Some(1)).unwrap();
        assert!(alone.feed(2, produce, |r| r.is_none()));
    }

    #[test]
    fn a_piece_that_panics_stops_no_other() {
        let exec = Exec::new(Some(2)).unwrap();
        let piece = |needs: &[usize]| Piece {
            needs: needs.to_vec(),
            cost: 1,
        };
        let pieces = [piece(&[]), piece(&[0]), piece(&[1])];
        let done = std::sync::atomic::AtomicUsize::new(0);
        let all = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            exec.graph(&pieces, 9, |i| {
                assert!(i > 0, "the first fails");
                done.fetch_add(1, Ordering::Relaxed);
            })
        }));
        assert!(all.is_err());
        assert_eq!(done.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn pieces_wait_for_what_they_need_and_for_room() {
        let piece = |needs: &[usize], cost| Piece {
            needs: needs.to_vec(),
            cost,
        };
        let pieces = [
            piece(&[], 6),
            piece(&[], 6),
            piece(&[0], 1),
            piece(&[0, 1, 2], 100),
            piece(&[3], 1),
        ];
        for n in [1, 2, 4] {
            let exec = Exec::new(Some(n)).unwrap();
            let (spent, log) = (Mutex::new(0), Mutex::new(Vec::new()));
            let out = exec.graph(&pieces, 10, |i| {
                for need in &pieces[i].needs {
                    assert!(log.lock().unwrap().contains(need));
                }
                *spent.lock().unwrap() += pieces[i].cost;
                std::thread::sleep(std::time::Duration::from_millis(3));
                let now = *spent.lock().unwrap();
                assert!(now <= 10 || now == pieces[i].cost, "{now}");
                *spent.lock().unwrap() -= pieces[i].cost;
                log.lock().unwrap().push(i);
                i * 10
            });
            assert_eq!(out, [0, 10, 20, 30, 40]);
        }
    }

    #[test]
    fn a_stop_is_an_error() {
        let exec = Exec::new(Some(2)).unwrap();
        exec.stop_flag().store(true, Ordering::Relaxed);
        assert!(matches!(exec.try_map(vec![1], Ok), Err(Error::Interrupted)));
        assert!(Exec::new(Some(0)).is_err());
    }
}
