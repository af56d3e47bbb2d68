//! Acts of nobody that are paid for, and where that comes from: batches of blind tokens, on account circuits.

use undertone_circuit::{CallError, Circuit};
use undertone_wire::{
    account::{Account, IssueCredentialsRequest},
    circuit::Code,
    limits::{TOKEN_BATCH, TOKENS_MAX},
    link::Link,
    paid::Paid,
    rpc::Call,
    visitor::Visitor,
};

use crate::{
    ClientError, Result,
    db::tokens as stock,
    own::Own,
    rules::{credentials, tokens},
    shared::Shared,
};

/// Times that one act is tried with other tokens, or more of them: a service that finds none good takes no more than these.
const PRICES_MAX: u32 = 3;

impl Shared {
    /// One act of nobody, on a circuit of its own, with what pays for it. Who does not know whether it was done asks for the
    /// same again: it costs nothing more.
    ///
    /// # Errors
    /// [`ClientError::NoTokens`] before anything was said; and why there is no circuit. What the service answers is inside.
    pub(crate) async fn pay<R>(&self, link: &Link, request: R) -> Result<Result<R::Reply, CallError>>
    where
        R: Paid + Call<Service = Visitor>,
    {
        let act = request.spent_on();
        let paid =
            self.pay_first(link, request, TOKENS_MAX, async |circuit, request| circuit.visit(request).await).await?;
        if paid.is_ok() {
            self.write_quietly(|tx| Ok(stock::forget(tx.db, &act)?))?;
        }
        Ok(paid)
    }

    /// The first call on a circuit of its own, which `ask` makes, with as many tokens as the service wants, up to `most`. They
    /// stay set aside for this act until they are [forgotten](stock::forget): until then it may be asked for again.
    ///
    /// # Errors
    /// As for [`pay`](Self::pay).
    pub(crate) async fn pay_first<R: Paid, T>(
        &self,
        link: &Link,
        mut request: R,
        most: usize,
        ask: impl AsyncFn(Circuit<R::Service>, R) -> Result<T, CallError>,
    ) -> Result<Result<T, CallError>> {
        let act = request.spent_on();
        let mut price = request.price();
        for _ in 0..PRICES_MAX {
            // Nobody comes who cannot pay.
            self.write_quietly(|tx| tokens::take(tx, R::PURPOSE, &act, price))?;
            let circuit = match self.connect::<R::Service>(link).await {
                Ok(circuit) => circuit,
                Err(error) => {
                    self.write_quietly(|tx| Ok(stock::release(tx.db, &act)?))?;
                    return Err(error);
                }
            };
            // The circuit may have brought another week.
            *request.tokens_mut() = self.write_quietly(|tx| tokens::send(tx, R::PURPOSE, &act, price))?;
            let paid = request.tokens().len();
            let refused = match ask(circuit, request.clone()).await {
                Err(CallError::Refused(fault)) if fault.code() == Code::Token => fault,
                answered => return Ok(answered),
            };
            price = usize::try_from(refused.tokens).unwrap_or(usize::MAX);
            if !(1..=most).contains(&price) {
                return Ok(Err(CallError::Malformed));
            }
            if price <= paid {
                // There were enough, so some of them were no good.
                self.write_quietly(|tx| Ok(stock::forget(tx.db, &act)?))?;
            }
        }
        Ok(Err(CallError::Refused(Code::Token.into())))
    }

    /// The first batch of a home, on the circuit that has just made it a device. Where that fails, it comes with the next
    /// visit to our account.
    pub(crate) async fn fetch_first_tokens(&self, circuit: &Circuit<Account>) {
        if let Err(error) = self.fetch_tokens(circuit).await {
            tracing::debug!(%error, "no tokens yet");
        }
    }

    /// Has credentials issued for today and tomorrow, where they are not there: daily, whether anybody needs them or not.
    ///
    /// # Errors
    /// When the circuit broke; and [`ClientError::Marked`].
    pub(crate) async fn fetch_credentials(&self, own: &Own, circuit: &Circuit<Account>) -> Result<()> {
        if !self.write_quietly(|tx| credentials::are_due(tx))? {
            return Ok(());
        }
        match circuit.call(IssueCredentialsRequest {}).await {
            Ok(reply) => self.write_quietly(|tx| credentials::issued(tx, own, &reply)),
            // It gives this account none, or nobody any.
            Err(CallError::Refused(fault)) if !matches!(fault.code(), Code::Unavailable | Code::Unknown) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Has a batch of everything issued, if it is time to.
    ///
    /// # Errors
    /// When the circuit broke; and [`ClientError::Marked`], which is no reason to leave the service alone.
    pub(crate) async fn fetch_tokens(&self, circuit: &Circuit<Account>) -> Result<()> {
        if !self.write_quietly(|tx| tokens::is_due(tx, self.pace.tokens.max_ms()))? {
            return Ok(());
        }
        let Some((request, wishes)) = self.write_quietly(tokens::request)? else { return Ok(()) };
        let wait_ms = self.draw_ms(&self.pace.tokens);
        let next_ms = self.now().plus_ms(wait_ms).0;
        let issued = match circuit.call(request).await {
            Ok(reply) => self.write(|tx| tokens::issued(tx, &wishes, &reply, next_ms)),
            Err(CallError::Refused(fault)) => match fault.code() {
                Code::Unavailable | Code::Unknown => Err(ClientError::refused(fault.code())),
                Code::Exhausted => {
                    let wait_ms = u64::from(fault.retry_after_ms) + self.draw_ms(&self.pace.after_tokens);
                    self.write(|tx| tokens::put_off(tx, wait_ms))
                }
                // It gives this account none, or cannot make anything of what was asked: something else another time.
                _ => self.write(|tx| {
                    stock::forget_wishes(tx.db, &TOKEN_BATCH)?;
                    tokens::put_off(tx, wait_ms)
                }),
            },
            Err(error) => Err(error.into()),
        };
        if matches!(issued, Err(ClientError::Marked)) {
            // Nothing of it was taken. The service may have mended itself by the next time.
            self.write(|tx| {
                stock::set_marked(tx.db, true)?;
                tokens::put_off(tx, wait_ms)
            })?;
        }
        issued
    }
}
