//! Compiles the schema: messages by prost, and from each `service` the typed calls of one kind of circuit.

use std::{env, error::Error, fmt::Write as _, path::PathBuf};

use prost_build::{Config, Method, Service, ServiceGenerator};

const SCHEMA: [&str; 9] =
    ["circuit", "account", "visitor", "channel", "blob", "directory", "group", "objects", "content"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(SCHEMA.map(|name| format!("{name}.proto")), ["proto"])?;
    Config::new()
        .bytes(["."])
        // Identifiers and ciphertext must not reach a log by way of a derived Debug.
        .skip_debug(["."])
        .service_generator(Box::new(Circuits))
        .out_dir(PathBuf::from(env::var("OUT_DIR")?))
        .compile_fds(files)?;
    Ok(())
}

/// For `service Channel`: the marker `Channel`, `impl Call` or `impl Subscribe` for each request message, the trait
/// `ChannelHandler` with one function a method, and its `Dispatch` by method number.
struct Circuits;

impl ServiceGenerator for Circuits {
    fn generate(&mut self, service: Service, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = emit(&service, out);
    }
}

fn emit(service: &Service, out: &mut String) -> std::fmt::Result {
    let name = &service.name;
    let kind = &service.name;
    let names: Vec<_> = service.methods.iter().map(|method| format!("{:?}", method.proto_name)).collect();
    writeln!(
        out,
        "/// The kind of circuit that carries `service {name}`.
        pub enum {name} {{}}
        impl crate::rpc::Service for {name} {{
            const KIND: crate::circuit::Kind = crate::circuit::Kind::{kind};
            const METHODS: &'static [&'static str] = &[{}];
        }}",
        names.join(", ")
    )?;
    for (number, method) in (1..).zip(&service.methods) {
        let Method { input_type, output_type, .. } = method;
        let (role, answer) = if method.server_streaming { ("Subscribe", "Push") } else { ("Call", "Reply") };
        writeln!(
            out,
            "impl crate::rpc::Method for {input_type} {{
                type Service = {name};
                const NUMBER: u32 = {number};
            }}
            impl crate::rpc::{role} for {input_type} {{
                type {answer} = {output_type};
            }}"
        )?;
    }
    writeln!(out, "/// Answers `service {name}` for one circuit.\npub trait {name}Handler: Send + Sync {{")?;
    for method in &service.methods {
        for line in method.comments.leading.iter().flat_map(|text| text.lines()) {
            writeln!(out, "///{line}")?;
        }
        let Method { name, input_type, output_type, .. } = method;
        let (pushes, answer) = if method.server_streaming {
            (format!(", pushes: crate::rpc::Pushes<{output_type}>"), "()")
        } else {
            (String::new(), output_type.as_str())
        };
        writeln!(
            out,
            "fn {name}(&self, now: crate::Now, request: {input_type}{pushes})
                -> impl Future<Output = Result<{answer}, crate::circuit::Fault>> + Send;"
        )?;
    }
    writeln!(
        out,
        "}}
        impl<H: {name}Handler> crate::rpc::Dispatch<{name}> for H {{
            async fn dispatch(&self, now: crate::Now, method: u32, body: bytes::Bytes, pushes: crate::rpc::OpenPushes)
                -> Result<crate::rpc::Answer, crate::circuit::Fault>
            {{
                let _ = &pushes;
                match method {{"
    )?;
    for (number, method) in (1..).zip(&service.methods) {
        let Method { name, .. } = method;
        if method.server_streaming {
            writeln!(
                out,
                "{number} => self.{name}(now, crate::rpc::decode(body)?, pushes.typed()).await
                    .map(|()| crate::rpc::Answer::Open),"
            )?;
        } else {
            writeln!(
                out,
                "{number} => self.{name}(now, crate::rpc::decode(body)?).await
                    .map(|reply| crate::rpc::Answer::Reply(prost::Message::encode_to_vec(&reply).into())),"
            )?;
        }
    }
    writeln!(out, "_ => Err(crate::circuit::Code::Unsupported.into()),\n}}\n}}\n}}")
}
