//! Keys and grants over HTTP: the same as over gRPC, for the same people.

use factlog_core::{EventStoreExt as _, StreamId};
use serde_json::{Value, json};

use super::{Kept, event};
use crate::web::{Answer, send};

impl Kept {
    /// A request of whoever shows this key.
    async fn asked(&self, key: &str, line: &str, body: &Value) -> Answer {
        let headers = [format!("authorization: Bearer {key}"), "content-type: application/json".to_owned()];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        send(self.served.address, line, &headers.each_ref().map(String::as_str), &body).await
    }

    async fn own(&self, key: &str, line: &str) -> Answer {
        self.asked(key, line, &Value::Null).await
    }
}

/// Would fail if a key that was made, rotated or revoked over HTTP were not what it is over gRPC.
#[tokio::test]
async fn a_key_lives_from_its_making_to_its_end() {
    let kept = Kept::start().await;
    let first = kept.first.clone();
    let wanted = json!({"principal":"orders","grants":["read,append stream:orders-"],"expires_at":"2099-01-01T00:00:00Z"});
    let made = kept.asked(&first, "POST /v1/keys", &wanted).await;
    assert_eq!((made.status, made.header("cache-control")), (201, Some("no-store")), "{}", made.body);
    let made = made.json();
    let (id, secret) = (made["key"]["id"].as_str().expect("an id"), made["secret"].as_str().expect("a key"));
    assert_eq!(made["key"]["expires_at"], "2099-01-01T00:00:00Z");
    assert_eq!(
        kept.own(secret, "GET /v1/whoami").await.json(),
        json!({"name":"orders","grants":["read,append stream:orders-"]})
    );
    let client = kept.served.client_with(secret);
    client.append_one(event(Some("orders-1"), &[], "placed")).await.expect("it may");
    client.append_one(event(Some("payments-1"), &[], "placed")).await.expect_err("it may not");

    let rotation = json!({"old_expires_at":"2098-01-01T00:00:00Z","expires_at":null});
    let next = kept.asked(&first, &format!("POST /v1/keys/{id}/rotate"), &rotation).await;
    assert_eq!((next.status, next.header("cache-control")), (201, Some("no-store")), "{}", next.body);
    let next = next.json();
    assert_eq!((&next["key"]["principal"], &next["key"]["expires_at"]), (&json!("orders"), &Value::Null));
    let listed = kept.own(&first, "GET /v1/keys").await;
    assert!(!listed.body.contains(secret) && !listed.body.contains("secret"), "{}", listed.body);
    let listed = listed.json();
    let of = |id: &str| {
        listed["keys"].as_array().expect("keys").iter().find(|key| key["id"] == id).cloned().expect("listed")
    };
    assert_eq!(of(id)["expires_at"], "2098-01-01T00:00:00Z");
    assert_eq!(of(id)["revoked_at"], Value::Null);

    for _ in 0..2 {
        let revoked = kept.own(&first, &format!("DELETE /v1/keys/{id}")).await;
        assert_eq!((revoked.status, &*revoked.body), (204, ""));
    }
    assert_eq!(kept.own(secret, "GET /v1/whoami").await.status, 401);
    let next = next["secret"].as_str().expect("a key");
    assert_eq!(kept.own(next, "GET /v1/whoami").await.status, 200);
    let recorded = StreamId::new("$server-access").expect("a stream");
    let recorded = kept.store.read_stream(recorded).await.expect("read").events;
    let last = String::from_utf8(recorded.last().expect("a fact").event.data.to_vec()).expect("text");
    assert!(last.contains("\"key-revoked\"") && last.contains("\"by\":\"admin\""), "{last}");
    let text: String =
        recorded.iter().map(|fact| String::from_utf8_lossy(&fact.event.data).into_owned()).collect();
    assert!(!text.contains(secret) && !text.contains(next), "no secret is recorded");
    kept.served.stop().await;
}

/// Would fail if an answer about keys had another shape than the document tells: two types of one name are one schema there.
#[tokio::test]
async fn answers_about_keys_are_of_the_shape_that_is_told() {
    let kept = Kept::start().await;
    let first = kept.first.clone();
    let document = kept.own(&first, "GET /v1/openapi.json").await.json();
    let wanted = json!({"principal":"ada","grants":["read"],"expires_at":null});
    let made = kept.asked(&first, "POST /v1/keys", &wanted).await.json();
    let keys = kept.own(&first, "GET /v1/keys").await.json();
    let principals = kept.own(&first, "GET /v1/principals").await.json();
    for (name, answer) in [
        ("Minted", &made),
        ("Key", &made["key"]),
        ("Keys", &keys),
        ("Key", &keys["keys"][0]),
        ("Principals", &principals),
        ("Principal", &principals["principals"][0]),
        ("Principal", &kept.own(&first, "GET /v1/whoami").await.json()),
        ("Decision", &kept.own(&first, "GET /v1/can-i?action=read").await.json()),
    ] {
        let told = document["components"]["schemas"][name]["properties"].as_object().expect(name);
        let members = answer.as_object().expect(name);
        assert!(members.keys().eq(told.keys()), "{name}: {answer} and {told:?}");
        let required = document["components"]["schemas"][name]["required"].as_array().expect(name);
        assert_eq!(required.len(), told.len(), "{name}");
    }
    kept.served.stop().await;
}

/// Would fail if grants were set otherwise than they are decided by, or somebody else were asked about without `admin`.
#[tokio::test]
async fn grants_are_set_and_asked_for() {
    let kept = Kept::start().await;
    let first = kept.first.clone();
    let (ada, _) = kept.key("ada", &["read"]).await;
    let line = "PUT /v1/principals/ada/grants";
    let set = kept.asked(&first, line, &json!({"grants":["append stream:a- tag:t:1"]})).await;
    assert_eq!(set.json(), json!({"name":"ada","grants":["append stream:a- tag:t:1"]}));
    let decided =
        async |key: &str, query: &str| kept.own(key, &format!("GET /v1/can-i?{query}")).await.json();
    assert_eq!(
        decided(&ada, "action=append&stream=a-1&tag=t:1").await,
        json!({"principal":"ada","allowed":true,"grant":"append stream:a- tag:t:1"})
    );
    for query in
        ["action=append&stream=b-1&tag=t:1", "action=append&stream=a-1", "action=read", "action=admin"]
    {
        let no = json!({"principal":"ada","allowed":false,"grant":null});
        assert_eq!(decided(&ada, query).await, no, "{query}");
        assert_eq!(decided(&first, &format!("{query}&as=ada")).await, no, "{query}");
    }
    assert_eq!(kept.own(&ada, "GET /v1/can-i?action=read&as=admin").await.status, 403);
    assert_eq!(kept.own(&first, "GET /v1/can-i?action=read&as=nobody").await.status, 404);
    // A name out of a certificate has slashes in it.
    let line = "PUT /v1/principals/cert:spiffe:%2F%2Fexample.org%2Forders/grants";
    assert_eq!(kept.asked(&first, line, &json!({"grants":[]})).await.status, 200);
    let listed = kept.own(&first, "GET /v1/principals").await.json();
    let names: Vec<_> =
        listed["principals"].as_array().expect("principals").iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["ada", "admin", "cert:spiffe://example.org/orders"]);
    kept.served.stop().await;
}

/// Would fail if something that is wrong passed, or was refused in other words than the table's.
#[tokio::test]
async fn what_is_wrong_with_keys_is_refused() {
    let kept = Kept::start().await;
    let first = kept.first.clone();
    let (ada, _) = kept.key("ada", &["read,append"]).await;
    let never = json!({"old_expires_at":"2099-01-01T00:00:00Z","expires_at":null});
    for (key, line, body, status) in [
        (&first, "DELETE /v1/keys/none", Value::Null, 404),
        (&first, "POST /v1/keys/none/rotate", never.clone(), 404),
        (&ada, "DELETE /v1/keys/none", Value::Null, 403),
        (&ada, "POST /v1/keys/none/rotate", never, 403),
        (&first, "POST /v1/keys", json!({"principal":"new","expires_at":null}), 400),
        (&first, "POST /v1/keys", json!({"principal":"ada"}), 400),
        (&first, "POST /v1/keys", json!({"principal":"ada","expires_at":"2001-01-01T00:00:00Z"}), 400),
        (&first, "POST /v1/keys", json!({"principal":"ada","expires_at":"soon"}), 400),
        (&first, "POST /v1/keys", json!({"principal":"ada","grants":["read"],"expires_at":null}), 400),
        (&first, "POST /v1/keys", json!({"principal":"a b","grants":[],"expires_at":null}), 400),
        (&first, "POST /v1/keys", json!({"principal":"ada","expires_at":null,"admin":true}), 400),
        (&first, "PUT /v1/principals/ada/grants", json!({"grants":["write"]}), 400),
        (&first, "PUT /v1/principals/ada/grants", json!({}), 400),
        (&first, "PUT /v1/principals/ada/grants", json!({"grants":["read".repeat(1 << 19)]}), 413),
        (&first, "GET /v1/can-i", Value::Null, 400),
        (&first, "GET /v1/can-i?action=write", Value::Null, 400),
        (&first, "GET /v1/can-i?action=read&type=a&type=b", Value::Null, 400),
    ] {
        let answer = kept.asked(key, line, &body).await;
        assert_eq!(answer.status, status, "{line} {}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{line}");
    }
    let bearer = format!("authorization: Bearer {first}");
    let form = send(kept.served.address, "POST /v1/keys", &[&bearer, "content-type: text/plain"], "{}").await;
    assert_eq!(form.status, 415);
    let keys = kept.owner().keys().await.expect("keys");
    assert_eq!(keys.len(), 2, "nothing was made: {keys:?}");
    kept.served.stop().await;
}
