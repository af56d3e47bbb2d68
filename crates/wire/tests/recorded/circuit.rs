use undertone_wire::{
    circuit::{Code, Fault, GoAway, Hello, HelloReply, Kind, Leaving, Parameters, Request, frame::Kind as Frame},
    frame::padded_hello,
};

use crate::{Recorded, of};

pub fn frames(recorded: &mut Recorded) {
    let hello = Hello {
        kind: Kind::Channel.into(),
        protocol_min: 1,
        protocol_max: 2,
        features: vec![1, 300],
        ..Hello::default()
    };
    let parameters = Parameters { version: 1, head_key: of(7, 32), ..Parameters::default() };
    let hello_reply = HelloReply {
        protocol: 1,
        features: vec![2],
        protocol_floor_next: 2,
        floor_day: 20_779,
        parameters: Some(parameters),
        ..HelloReply::default()
    };
    let request = Frame::Request(Request { method: 3, body: of(5, 3), deadline_ms: 30_000, ..Request::default() });
    recorded.frame("circuit.hello", 0, Frame::Hello(padded_hello(hello)));
    recorded.frame("circuit.hello_reply", 0, Frame::HelloReply(hello_reply));
    recorded.frame("circuit.request", 1, request);
    recorded.frame("circuit.reply", 1, Frame::Reply(of(6, 4)));
    recorded.frame("circuit.reply.empty", 2, Frame::Reply(of(0, 0)));
    for code in 0..=10 {
        let code = Code::try_from(code).unwrap();
        let fault = Fault { code: code.into(), retry_after_ms: 1_000, ..Fault::default() };
        recorded.frame(&format!("circuit.fault.{}", code.as_str_name().to_lowercase()), 3, Frame::Fault(fault));
    }
    recorded.frame("circuit.push", 4, Frame::Push(of(7, 5)));
    recorded.frame("circuit.cancel", 4, Frame::Cancel(true));
    recorded.frame("circuit.ping", 0, Frame::Ping(u64::MAX));
    recorded.frame("circuit.pong", 0, Frame::Pong(9));
    for reason in 0..=3 {
        let reason = Leaving::try_from(reason).unwrap();
        let name = format!("circuit.go_away.{}", reason.as_str_name().to_lowercase());
        recorded.frame(&name, 0, Frame::GoAway(GoAway { reason: reason.into(), ..GoAway::default() }));
    }
}
