use std::{
    collections::{BTreeMap, HashSet},
    thread,
};

use serde_json::Value;

use super::{Chance, Home, Listener, Service};

/// Times that a device which lags is given a second to catch up.
const TRIES: u32 = 120;

/// One of so many things that are said, the service is killed.
const KILL_ONE_IN: usize = 4;

/// Several devices of two people, at a service that is killed at moments which chance chooses.
pub struct Fleet {
    /// Where they meet.
    pub service: Service,
    /// Those that take part.
    pub devices: Vec<Device>,
    chance: Chance,
    /// Ids of all that was said: in notes by the name of their writer, in the chat of the two under no name.
    said: BTreeMap<&'static str, HashSet<String>>,
    /// Ids of what was shown to each of the two, on devices that have left.
    shown: BTreeMap<&'static str, HashSet<String>>,
    counter: usize,
}

/// A device that takes part.
pub struct Device {
    /// Its home.
    pub home: Home,
    /// Its person.
    pub owner: &'static str,
    /// Whom that person talks to.
    pub other: &'static str,
    ears: Option<Listener>,
    /// Ids of all that it has printed as received.
    printed: Vec<String>,
}

/// A chat as a device has it: id, sender, text, place and time of each message.
type View = Vec<[Value; 5]>;

impl Fleet {
    /// Without devices.
    pub fn new(service: Service) -> Self {
        Self {
            service,
            devices: Vec::new(),
            chance: Chance::of_seed(),
            said: BTreeMap::new(),
            shown: BTreeMap::new(),
            counter: 0,
        }
    }

    /// A device takes part.
    pub fn join(&mut self, mut device: Device) {
        device.open();
        self.devices.push(device);
    }

    /// A device takes no part any more.
    pub fn leave(&mut self, number: usize) -> Device {
        let mut device = self.devices.remove(number);
        device.close();
        self.shown.entry(device.owner).or_default().extend(device.printed.iter().cloned());
        device
    }

    /// All leave. Each message of the other was shown to each of the two, on one of their devices.
    pub fn end(mut self) {
        let [chat, _] = self.devices[0].views();
        let owners: HashSet<_> = self.devices.iter().map(|device| (device.owner, device.home.account())).collect();
        while !self.devices.is_empty() {
            self.leave(0);
        }
        for (owner, account) in owners {
            let from_other = chat.iter().filter(|[_, from, ..]| *from != account.as_str());
            let unshown: View =
                from_other.filter(|[id, ..]| !self.shown[owner].contains(id.as_str().unwrap())).cloned().collect();
            assert!(unshown.is_empty(), "{owner} was not shown {unshown:#?}");
        }
    }

    /// Every device says something, to the other person and now and then to its own, so many times.
    pub fn talk(&mut self, rounds: usize) {
        for _ in 0..rounds {
            for number in 0..self.devices.len() {
                self.say(number, self.devices[number].other);
                if self.chance.below(4) == 0 {
                    self.say(number, self.devices[number].owner);
                }
            }
        }
    }

    /// A device says something to somebody.
    pub fn say(&mut self, number: usize, who: &'static str) {
        self.say_many(number, who, 1);
    }

    /// A device says so many things, and the service may be killed meanwhile: then they are kept, and go later.
    pub fn say_many(&mut self, number: usize, who: &'static str, how_many: usize) {
        let Self { service, devices, chance, said, counter, .. } = self;
        let (owner, home) = (devices[number].owner, &devices[number].home);
        let texts: Vec<_> = (0..how_many).map(|more| format!("{}: {owner} to {who}", *counter + more)).collect();
        *counter += how_many;
        let done = thread::scope(|scope| {
            let sender = scope.spawn(|| home.run_with(&["send", who, "--lines"], texts.join("\n").as_bytes()));
            if chance.below(KILL_ONE_IN) == 0 {
                service.kill();
                service.restart();
            }
            sender.join().unwrap()
        });
        assert!(done.code == 0 || done.errors.contains("the message is kept"), "{}", done.errors);
        assert_eq!(done.lines.len(), how_many);
        let chat = if who == owner { who } else { "" };
        let said = said.entry(chat).or_default();
        assert!(done.lines.iter().all(|line| said.insert(id(line))));
    }

    /// A message that was said otherwise.
    pub fn note_said(&mut self, message: &Value) {
        self.said.entry("").or_default().insert(id(message));
    }

    /// Days pass, while nobody is there.
    pub fn pass(&mut self, days: u32) {
        let devices = std::mem::take(&mut self.devices);
        self.service.stop();
        self.service.set_ahead(days);
        let closed: Vec<_> = devices.into_iter().map(|device| device.ahead(days)).collect();
        self.service.restart();
        closed.into_iter().for_each(|device| self.join(device));
    }

    /// Waits until every device has all that was said, and all have it alike.
    pub fn agree(&mut self) {
        for _ in 0..TRIES {
            match self.differs() {
                Some(number) => self.devices[number].wait(),
                None => return,
            }
        }
        let number = self.differs().unwrap_or(0);
        let (device, first) = (&self.devices[number], &self.devices[0]);
        panic!("{}'s {}: {:#?}\n{:#?}", device.owner, device.trouble(), first.views(), device.views());
    }

    /// A device that lacks something, or has it otherwise than the first of those that should have the same.
    fn differs(&self) -> Option<usize> {
        let views: Vec<_> = self.devices.iter().map(Device::views).collect();
        let same_as = |number: usize, other: usize| {
            let same_owner = self.devices[number].owner == self.devices[other].owner;
            views[number][0] == views[other][0] && (!same_owner || views[number][1] == views[other][1])
        };
        (0..views.len()).find(|number| {
            let [chat, notes] = &views[*number];
            let lacks = !self.is_all("", chat) || !self.is_all(self.devices[*number].owner, notes);
            lacks || !self.devices[*number].is_well() || (0..*number).any(|other| !same_as(*number, other))
        })
    }

    /// Whether a view has all that was said, and nothing else.
    fn is_all(&self, chat: &'static str, view: &View) -> bool {
        let ids: HashSet<_> = view.iter().map(|message| message[0].as_str().unwrap()).collect();
        let nothing = HashSet::new();
        let said = self.said.get(chat).unwrap_or(&nothing);
        ids.len() == view.len() && ids == said.iter().map(String::as_str).collect()
    }
}

impl Device {
    /// Of somebody who talks to somebody.
    pub fn of(owner: &'static str, other: &'static str, home: Home) -> Self {
        Self { home, owner, other, ears: None, printed: Vec::new() }
    }

    /// Its clock is so many days ahead from now on.
    pub fn ahead(mut self, days: u32) -> Self {
        self.close();
        Self { home: self.home.with("UNDERTONE_CLOCK_AHEAD", &days.to_string()), ..self }
    }

    /// Its chat with the other, and its person's notes.
    pub fn views(&self) -> [View; 2] {
        [self.other, self.owner].map(|who| {
            let done = self.home.run(&["history", who]);
            let field = |message: &Value| ["id", "from", "body", "seq", "sent_at"].map(|field| message[field].clone());
            // Nobody has written a note yet.
            if done.code == 5 { View::new() } else { done.must().iter().map(field).collect() }
        })
    }

    /// Accepts a request, once it has come.
    pub fn accept(&mut self) {
        for _ in 0..TRIES {
            if !self.home.run(&["request", "list"]).must().is_empty() {
                self.home.run(&["request", "accept", self.other]).one();
                return;
            }
            self.wait();
        }
        panic!("nobody asks");
    }

    /// Whether all its chats go on, and it has missed nothing.
    pub fn is_well(&self) -> bool {
        let well = |chat: &Value| chat["trouble"].is_null() && chat["missed"] == 0;
        self.home.run(&["chats"]).must().iter().all(well)
    }

    /// What its chats say.
    fn trouble(&self) -> String {
        self.home.run(&["chats"]).must().iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
    }

    /// It listens.
    pub fn open(&mut self) {
        self.ears = Some(self.home.listen());
    }

    /// It listens no more. It has to have printed each message once.
    pub fn close(&mut self) {
        let rest = self.ears.take().map(Listener::stop).unwrap_or_default();
        self.print(&rest);
    }

    /// Gives it a second in which something may come.
    fn wait(&mut self) {
        let done = self.home.run(&["receive", "--wait", "1"]);
        assert!(done.code == 0 || done.code == 3, "{}", done.errors);
        self.print(&done.lines);
    }

    fn print(&mut self, lines: &[Value]) {
        self.printed.extend(lines.iter().map(id));
        let once: HashSet<_> = self.printed.iter().collect();
        assert_eq!(once.len(), self.printed.len(), "{}'s device has printed a message twice", self.owner);
    }
}

fn id(message: &Value) -> String {
    message["id"].as_str().unwrap().to_owned()
}
