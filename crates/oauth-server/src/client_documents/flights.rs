//! One piece of work for all who ask for it at the same time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// The most that is under way at one time.
const MAX_FLIGHTS: usize = 64;

type UnderWay<T> = Mutex<HashMap<String, watch::Receiver<Option<T>>>>;

/// Work that is under way, by what it is for.
pub(super) struct Flights<T>(Arc<UnderWay<T>>);

/// Too much is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy;

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    /// What `work` gives, or the same work that another has begun and not finished. It goes on in a task of its own: who
    /// asked first may go away without taking it from the others.
    pub(super) async fn join<W>(&self, key: &str, work: impl FnOnce() -> W) -> Result<T, Busy>
    where
        W: Future<Output = T> + Send + 'static,
    {
        let mut landing = self.landing(key, work)?;
        let landed = landing.wait_for(Option::is_some).await.map_err(|_| Busy)?;
        landed.clone().ok_or(Busy)
    }

    fn landing<W>(&self, key: &str, work: impl FnOnce() -> W) -> Result<watch::Receiver<Option<T>>, Busy>
    where
        W: Future<Output = T> + Send + 'static,
    {
        let mut under_way = lock(&self.0);
        if let Some(landing) = under_way.get(key) {
            return Ok(landing.clone());
        }
        if under_way.len() >= MAX_FLIGHTS {
            return Err(Busy);
        }
        let (sender, landing) = watch::channel(None);
        under_way.insert(key.to_owned(), landing.clone());
        let work = work();
        let entry = Entry { under_way: Arc::clone(&self.0), key: key.to_owned() };
        tokio::spawn(async move {
            let outcome = work.await;
            // Whoever asks from now on begins anew.
            drop(entry);
            sender.send_replace(Some(outcome));
        });
        Ok(landing)
    }
}

/// Removes a flight, also when its work panics.
struct Entry<T> {
    under_way: Arc<UnderWay<T>>,
    key: String,
}

impl<T> Drop for Entry<T> {
    fn drop(&mut self) {
        lock(&self.under_way).remove(&self.key);
    }
}

fn lock<T>(under_way: &UnderWay<T>) -> MutexGuard<'_, HashMap<String, watch::Receiver<Option<T>>>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Busy, Flights, MAX_FLIGHTS};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Semaphore;

    #[tokio::test]
    async fn all_who_ask_meanwhile_get_the_same() {
        let flights = Arc::new(Flights::<usize>::default());
        let gate = Arc::new(Semaphore::new(0));
        let begun = Arc::new(AtomicUsize::new(0));
        let ask = || {
            let (flights, gate, begun) = (Arc::clone(&flights), Arc::clone(&gate), Arc::clone(&begun));
            async move {
                let work = || async move {
                    let count = begun.fetch_add(1, Ordering::SeqCst);
                    gate.acquire().await.unwrap().forget();
                    count
                };
                flights.join("a", work).await
            }
        };
        let first = tokio::spawn(ask());
        tokio::task::yield_now().await;
        // Who began it goes away.
        first.abort();
        let others: Vec<_> = (0..100).map(|_| tokio::spawn(ask())).collect();
        tokio::task::yield_now().await;
        gate.add_permits(1);
        for other in others {
            assert_eq!(other.await.unwrap(), Ok(0));
        }
        gate.add_permits(1);
        assert_eq!(ask().await, Ok(1));
    }

    #[tokio::test]
    async fn what_is_under_way_is_bounded_and_a_panic_takes_no_place() {
        let flights = Flights::<()>::default();
        assert_eq!(flights.join("panics", || async { panic!("on purpose") }).await, Err(Busy));
        let keys: Vec<String> = (0..=MAX_FLIGHTS).map(|index| index.to_string()).collect();
        let (last, first) = keys.split_last().unwrap();
        let landings: Vec<_> =
            first.iter().map(|key| flights.landing(key, std::future::pending::<()>)).collect();
        assert!(landings.iter().all(Result::is_ok));
        assert_eq!(flights.join(last, || async {}).await, Err(Busy));
    }
}
