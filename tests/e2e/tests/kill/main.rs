//! SIGKILL at every write: nothing is half done, nothing counts twice, and no client loses its sign-in.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed set-up fails the test")]

mod party;
mod restore;
mod tables;

use std::{future::Future, time::Duration};

use e2e::{Lone, Program};
use pg_fixture::PgCluster;
use quickstart::Browser;
use reqwest::StatusCode;

use crate::{
    party::{Answer, Party, refused, succeeded},
    tables::Tables,
};

/// With six writes and three moments: 108 kills on each database.
const ROUNDS: u32 = 6;

/// When the server is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// In the transaction: its last table is held back.
    Inside,
    /// After everything is done; the answer is taken for lost.
    After,
    /// Whatever it is doing after this time.
    Within(Duration),
}

impl Moment {
    fn all(round: u32) -> [Self; 3] {
        // From the first bytes of the request to about the answer.
        [Self::Inside, Self::After, Self::Within(Duration::from_micros(500) * (1 << round))]
    }
}

/// A server that dies often.
struct Victim {
    lone: Lone,
    program: Option<Program>,
    party: Party,
    tables: Tables,
    kills: u32,
}

impl Victim {
    async fn start(postgres: Option<String>) -> Self {
        let lone = Lone::new(postgres);
        let program = Some(lone.serve());
        let party = Party { origin: lone.public_url.clone() };
        let tables = Tables::open(&lone).await;
        Self { lone, program, party, tables, kills: 0 }
    }

    /// Sends a request, kills the server and starts another one. Gives the answer that came before.
    async fn killed<T>(
        &mut self,
        moment: Moment,
        table: &str,
        request: impl Future<Output = T>,
    ) -> Option<T> {
        let program = &mut self.program;
        let answer = match moment {
            Moment::Inside => {
                self.tables.hold(table, request, || *program = None).await;
                None
            }
            Moment::After => Some(request.await),
            Moment::Within(time) => tokio::time::timeout(time, request).await.ok(),
        };
        // Dropping it is SIGKILL.
        self.program = None;
        self.kills += 1;
        self.tables.assert_whole().await;
        self.program = Some(self.lone.serve());
        answer
    }

    async fn registration(&mut self, moment: Moment) {
        let party = self.party.clone();
        let answer = self.killed(moment, "oauth_clients", party.register()).await.flatten();
        if let Some((status, body)) = answer {
            assert_eq!(status, StatusCode::CREATED, "{body}");
            let client = body["client_id"].as_str().unwrap();
            party.consent_page(&mut Browser::new().unwrap(), client).await;
        }
        party.client().await;
    }

    async fn consent(&mut self, client: &str, moment: Moment) {
        let party = self.party.clone();
        let mut browser = Browser::new().unwrap();
        let page = party.consent_page(&mut browser, client).await;
        let mut before = Browser::new().unwrap();
        let request = async { party.allow(&mut browser, &page).await };
        let answer = self.killed(moment, "oauth_interactions", request).await.flatten();
        // Whoever got no answer presses again: it counts, or it counted before and the person begins anew.
        let again = party.allow(&mut browser, &page).await;
        match moment {
            Moment::Inside => assert!(again.is_some(), "nothing had happened"),
            Moment::After => assert!(answer.is_some() && again.is_none(), "consent counts once"),
            Moment::Within(_) => assert!(answer.is_none() || again.is_none(), "consent counts once"),
        }
        if let Some(page) = again {
            assert!(party.sign_in(&mut browser, &page).await.is_some());
        }
        party.consent_page(&mut before, client).await;
    }

    async fn sign_in(&mut self, client: &str, moment: Moment) {
        let party = self.party.clone();
        let mut browser = Browser::new().unwrap();
        let page = party.consent_page(&mut browser, client).await;
        let page = party.allow(&mut browser, &page).await.unwrap();
        let request = async { party.sign_in(&mut browser, &page).await };
        let answer = self.killed(moment, "oauth_codes", request).await.flatten();
        let again = party.sign_in(&mut browser, &page).await;
        match moment {
            Moment::Inside => assert!(again.is_some(), "nothing had happened"),
            Moment::After => assert!(answer.is_some() && again.is_none(), "a sign-in counts once"),
            Moment::Within(_) => assert!(answer.is_none() || again.is_none(), "a sign-in counts once"),
        }
        if let Some(code) = answer.or(again) {
            succeeded(party.redeem(client, &code).await);
        }
    }

    async fn redemption(&mut self, client: &str, moment: Moment) {
        let party = self.party.clone();
        let code = party.code(client).await;
        let answer: Answer =
            self.killed(moment, "oauth_refresh_tokens", party.redeem(client, &code)).await.flatten();
        let again = party.redeem(client, &code).await;
        match (moment, answer) {
            (Moment::Inside, _) => drop(succeeded(again)),
            (_, Some(first)) => {
                let token = succeeded(Some(first));
                assert!(refused(again), "a code counts once");
                assert!(refused(party.refresh(client, &token).await), "its second use ended the grant");
            }
            (_, None) => {
                let counted = refused(again);
                assert!(counted || refused(party.redeem(client, &code).await), "a code counts once");
            }
        }
    }

    /// Gives the newest token of the family, which goes on whatever happens.
    async fn refresh(&mut self, client: &str, token: &str, moment: Moment) -> String {
        let party = self.party.clone();
        let answer: Answer =
            self.killed(moment, "oauth_grants", party.refresh(client, token)).await.flatten();
        let next = succeeded(party.refresh(client, token).await);
        assert_ne!(next, token);
        if let Some(first) = answer {
            assert_eq!(succeeded(Some(first)), next, "the same answer again");
        }
        let newest = succeeded(party.refresh(client, &next).await);
        assert_eq!(succeeded(party.refresh(client, token).await), newest, "whoever fell behind catches up");
        newest
    }

    async fn revocation(&mut self, client: &str, moment: Moment) {
        let party = self.party.clone();
        let token = party.family(client).await;
        let answer = self.killed(moment, "oauth_grants", party.revoke(client, &token)).await.flatten();
        // What was answered holds; what was not is asked again.
        let (status, body) = match answer {
            Some(answer) => answer,
            None => party.revoke(client, &token).await.unwrap(),
        };
        assert_eq!(status, StatusCode::OK, "{body}");
        assert!(refused(party.refresh(client, &token).await), "revoked is revoked");
    }
}

async fn every_write(postgres: Option<String>) {
    let mut victim = Victim::start(postgres).await;
    let client = victim.party.client().await;
    let mut token = victim.party.family(&client).await;
    for round in 0..ROUNDS {
        for moment in Moment::all(round) {
            victim.registration(moment).await;
            victim.consent(&client, moment).await;
            victim.sign_in(&client, moment).await;
            victim.redemption(&client, moment).await;
            token = victim.refresh(&client, &token, moment).await;
            victim.revocation(&client, moment).await;
        }
    }
    assert_eq!(victim.kills, ROUNDS * 3 * 6);
}

/// SEC-8: a code whose first answer died with the server -> 400 `invalid_grant` if it had counted, else its only 200
/// SEC-18: a refresh token whose answer died with the server -> 200 with the same successor, the family goes on
/// SEC-22: a revocation that was answered before the server died -> 400 `invalid_grant` for ever
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_deaths_on_sqlite() {
    every_write(None).await;
}

/// SEC-8: a code whose first answer died with the server -> 400 `invalid_grant` if it had counted, else its only 200
/// SEC-18: a refresh token whose answer died with the server -> 200 with the same successor, the family goes on
/// SEC-22: a revocation that was answered before the server died -> 400 `invalid_grant` for ever
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_deaths_on_postgresql() {
    let cluster = PgCluster::start();
    every_write(Some(cluster.create_database())).await;
}

/// Two processes on one database, and ten refreshes of one token at once: one successor, ten usable answers.
async fn ten_at_once(postgres: Option<String>) {
    let lone = Lone::new(postgres);
    let (_first, (_second, replica)) = (lone.serve(), lone.serve_replica());
    let party = Party { origin: lone.public_url.clone() };
    let client = party.client().await;
    let mut token = party.family(&client).await;
    for _ in 0..5 {
        let attempts: Vec<_> = (0..10)
            .map(|index| {
                let origin = if index % 2 == 0 { &lone.public_url } else { &replica };
                let party = Party { origin: origin.clone() };
                let (client, token) = (client.clone(), token.clone());
                tokio::spawn(async move { succeeded(party.refresh(&client, &token).await) })
            })
            .collect();
        let mut successors = std::collections::BTreeSet::new();
        for attempt in attempts {
            successors.insert(attempt.await.unwrap());
        }
        assert_eq!(successors.len(), 1, "one successor");
        token = successors.into_iter().next().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_give_one_successor_on_sqlite() {
    ten_at_once(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_give_one_successor_on_postgresql() {
    let cluster = PgCluster::start();
    ten_at_once(Some(cluster.create_database())).await;
}
