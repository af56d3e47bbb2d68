use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::stage::Stage;

/// What happens, with a tick for each step.
pub async fn tell(stage: &mut Stage) -> anyhow::Result<()> {
    begin(stage).await.context("at the beginning")?;
    first_contact(stage).await.context("at first contact")?;
    talk(stage).await.context("in the middle of a talk")?;
    profile(stage).await.context("when Ana said something of herself")?;
    group(stage).await.context("in the group")?;
    away(stage).await.context("when Bo was away")?;
    kill(stage).await.context("when the service was killed")?;
    compare(stage).await.context("when the histories were compared")
}

async fn begin(stage: &mut Stage) -> anyhow::Result<()> {
    stage.start_service().await?;
    stage.done("A service is up, with a store that is empty")?;
    let link = stage.link().to_owned();
    stage.ana.register(&link).await?;
    stage.bo.register(&link).await?;
    stage.ana.go_online()?;
    stage.bo.go_online()?;
    stage.done("Ana and Bo have accounts there, each with a database of their own")
}

async fn first_contact(stage: &mut Stage) -> anyhow::Result<()> {
    let hello = stage.ana.send(stage.bo.link(), "Hello Bo, it is Ana. Is this you?").await?;
    let heard = stage.bo.hears(&hello).await?;
    ensure!(heard.get("request") == Some(&Value::Bool(true)), "a stranger's message is no request");
    stage.done("Ana's message reached Bo, as a request: Bo does not know her yet")?;
    let [request] = &stage.bo.all(&["request", "list"]).await?[..] else { anyhow::bail!("not one request") };
    ensure!(request.get("name").and_then(Value::as_str) == Some("Ana"), "a request of somebody else");
    stage.bo.one(&["request", "accept", stage.ana.account()]).await?;
    let answer = stage.bo.send(stage.ana.account(), "Yes, Ana, it is me.").await?;
    stage.ana.hears(&answer).await?;
    stage.done("Bo accepted, and his answer reached Ana")
}

async fn talk(stage: &mut Stage) -> anyhow::Result<()> {
    let lines = [("Who can read this?", "The two of us."), ("And the service?", "It passes on what it cannot open.")];
    for (question, answer) in lines {
        let id = stage.ana.send(stage.bo.account(), question).await?;
        stage.bo.hears(&id).await?;
        let id = stage.bo.send(stage.ana.account(), answer).await?;
        stage.ana.hears(&id).await?;
    }
    stage.done("They talk, each message within moments")
}

async fn profile(stage: &mut Stage) -> anyhow::Result<()> {
    let about = "I like being read by those whom I write to.";
    stage.ana.one(&["profile", "--about", about]).await?;
    stage.bo.knows_about(stage.ana.account(), about).await?;
    let kept = stage.ana.all(&["whoami", "--published"]).await?;
    let sealed = |kept: &&Value| kept.get("value").and_then(Value::as_str).is_some_and(|hex| hex.len() == 2 * 1_024);
    ensure!(kept.iter().filter(sealed).count() == 1, "the service does not keep one profile of 1,024 bytes");
    stage.done("Bo reads what Ana says of herself; to the service it is 1,024 bytes that it cannot open")
}

async fn group(stage: &mut Stage) -> anyhow::Result<()> {
    const GROUP: &str = "Sailors";
    let members = |count| {
        move |group: &Value| group.get("members").and_then(Value::as_array).is_some_and(|all| all.len() == count)
    };
    let link = stage.link().to_owned();
    stage.frank.register(&link).await?;
    stage.ana.one(&["group", "create", GROUP, "--member", stage.bo.account()]).await?;
    stage.bo.sees(GROUP, members(2)).await?;
    stage.ana.one(&["group", "invite", GROUP, stage.frank.link(), "--role", "reader"]).await?;
    stage.frank.sees(GROUP, |group| group.get("invited_by").is_some_and(Value::is_string)).await?;
    stage.frank.one(&["group", "accept", GROUP]).await?;
    stage.done(
        "Ana made a group with Bo and invited Frank, who proved his place and came in; to the service he is an entry",
    )?;

    let list = stage.frank.sees(GROUP, members(3)).await?;
    let names: Vec<_> = list.get("members").and_then(Value::as_array).into_iter().flatten().collect();
    let named = |name: &str| names.iter().any(|member| member.get("name").and_then(Value::as_str) == Some(name));
    ensure!(["Ana", "Frank"].into_iter().all(named), "Frank cannot read who is in the group");
    let hear = stage.ana.send(GROUP, "All hands on deck.").await?;
    stage.bo.hears(&hear).await?;
    let new = stage.frank.all(&["receive"]).await?;
    ensure!(new.iter().any(|line| super::person::text(line, "id").is_ok_and(|id| id == hear)), "Frank hears nothing");
    let said = stage.frank.says(&["send", GROUP, "Aye!"]).await?;
    ensure!(said.code == Some(4), "a reader was let speak");
    stage.done("Frank reads who is in it and what is said; as a reader he is refused a word of his own")?;

    stage.ana.one(&["group", "remove", GROUP, stage.frank.account()]).await?;
    let id = stage.ana.send(GROUP, "Now we are among ourselves.").await?;
    stage.bo.hears(&id).await?;
    stage.frank.sees(GROUP, |group| group.get("state").and_then(Value::as_str) == Some("out")).await?;
    let kept = stage.frank.all(&["history", GROUP]).await?;
    ensure!(
        kept.iter().all(|line| super::person::text(line, "id").is_ok_and(|other| other != id)),
        "Frank still reads"
    );
    stage.done("Ana removed Frank, and nothing that is said from then on is his to read")
}

async fn away(stage: &mut Stage) -> anyhow::Result<()> {
    stage.bo.go_offline().await;
    let id = stage.ana.send(stage.bo.account(), "Are you still there?").await?;
    stage.bo.go_online()?;
    stage.bo.hears(&id).await?;
    stage.done("Bo was offline and is back, and has what Ana wrote meanwhile")
}

async fn kill(stage: &mut Stage) -> anyhow::Result<()> {
    stage.kill_service().await?;
    let said = stage.ana.says(&["send", stage.bo.account(), "I write this while the service is dead."]).await?;
    let [line] = &said.lines[..] else { anyhow::bail!("Ana's message was not taken") };
    let queued = said.code == Some(3) && line.get("queued") == Some(&Value::Bool(true));
    ensure!(queued, "Ana's message was not queued");
    let id = super::person::text(line, "id")?;
    stage.done("The service was killed (SIGKILL); Ana's next message is kept on her side")?;
    stage.start_service().await?;
    stage.bo.hears(&id).await?;
    let answer = stage.bo.send(stage.ana.account(), "It came through.").await?;
    stage.ana.hears(&answer).await?;
    stage.done("The service is back with all it had acknowledged, and the message has arrived, once")
}

async fn compare(stage: &mut Stage) -> anyhow::Result<()> {
    let ana = stage.ana.all(&["history", stage.bo.account()]).await?;
    let bo = stage.bo.all(&["history", stage.ana.account()]).await?;
    ensure!(ana.len() == 9, "Ana's history has {} messages", ana.len());
    let told = |history: &[Value]| -> Vec<Vec<Option<Value>>> {
        let fields = ["id", "from", "body", "sent_at", "seq"];
        history.iter().map(|entry| fields.map(|field| entry.get(field).cloned()).to_vec()).collect()
    };
    ensure!(told(&ana) == told(&bo), "the histories differ");
    stage.done("Both have the same history, in the same order")
}
