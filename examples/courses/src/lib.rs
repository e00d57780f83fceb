//! Courses with a capacity and students with a limit: facts, what is known from them, and rules.
//!
//! A subscription concerns a course and a student. It carries the tags of both, so that each rule finds exactly the facts
//! it needs, and there is no stream, and no lock, that all subscriptions have to share: that is a dynamic consistency
//! boundary. Two students who take different courses never meet.

use factlog::{Context, Decide, Event, EventSet, Events, Result, Tags, View, events, tags};
use serde::{Deserialize, Serialize};

/// Courses that one student may take at a time.
pub const COURSES_MAX: u32 = 5;

/// A course is offered.
#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "course.defined", tags(course))]
pub struct CourseDefined {
    /// Which.
    pub course: String,
    /// Students it has room for.
    pub capacity: u32,
}

/// A course has more room, or less.
#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "course.capacity_changed", tags(course))]
pub struct CapacityChanged {
    /// Which.
    pub course: String,
    /// Students it has room for from now on.
    pub capacity: u32,
}

/// A student takes a course.
#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "course.student_subscribed", tags(course, student))]
pub struct Subscribed {
    /// Which course.
    pub course: String,
    /// Who.
    pub student: String,
}

/// A student takes it no more.
#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "course.student_unsubscribed", tags(course, student))]
pub struct Unsubscribed {
    /// Which course.
    pub course: String,
    /// Who.
    pub student: String,
}

/// Everything that happens to a course.
#[derive(EventSet, Clone, Debug, PartialEq)]
pub enum CourseEvent {
    /// It is offered.
    Defined(CourseDefined),
    /// It has more room, or less.
    Capacity(CapacityChanged),
    /// Somebody takes it.
    Subscribed(Subscribed),
    /// Somebody takes it no more.
    Unsubscribed(Unsubscribed),
}

/// What a subscription is about: all that a student's own limit needs.
#[derive(EventSet, Clone, Debug, PartialEq)]
pub enum SubscriptionEvent {
    /// Somebody takes a course.
    Subscribed(Subscribed),
    /// Somebody takes one no more.
    Unsubscribed(Unsubscribed),
}

/// A course's room.
#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// Room for so many; `None` where there is no such course.
    pub capacity: Option<u32>,
    /// Students who take it.
    pub taken: u32,
}

impl View for Course {
    type Id = String;
    type Event = CourseEvent;
    const NAME: &'static str = "course";
    fn tags(course: &String) -> Result<Tags> {
        tags![course = course]
    }
    fn apply(&mut self, event: &CourseEvent) {
        match event {
            CourseEvent::Defined(CourseDefined { capacity, .. })
            | CourseEvent::Capacity(CapacityChanged { capacity, .. }) => self.capacity = Some(*capacity),
            CourseEvent::Subscribed(_) => self.taken += 1,
            CourseEvent::Unsubscribed(_) => self.taken -= 1,
        }
    }
}

/// How many courses a student takes.
#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load(pub u32);

impl View for Load {
    type Id = String;
    type Event = SubscriptionEvent;
    const NAME: &'static str = "load";
    fn tags(student: &String) -> Result<Tags> {
        tags![student = student]
    }
    fn apply(&mut self, event: &SubscriptionEvent) {
        match event {
            SubscriptionEvent::Subscribed(_) => self.0 += 1,
            SubscriptionEvent::Unsubscribed(_) => self.0 -= 1,
        }
    }
}

/// Whether this student takes this course: both tags, hence hardly ever more than two facts.
#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taken(pub bool);

impl View for Taken {
    type Id = (String, String);
    type Event = SubscriptionEvent;
    const NAME: &'static str = "taken";
    fn tags((course, student): &(String, String)) -> Result<Tags> {
        tags![course = course, student = student]
    }
    fn apply(&mut self, event: &SubscriptionEvent) {
        self.0 = matches!(event, SubscriptionEvent::Subscribed(_));
    }
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such course.
    #[error("there is no course {0}")]
    NoCourse(String),
    /// There is one already.
    #[error("course {0} is there already")]
    CourseExists(String),
    /// No room is left.
    #[error("course {0} is full")]
    Full(String),
    /// The student takes as many as one may.
    #[error("{0} takes {COURSES_MAX} courses already")]
    TooMany(String),
    /// The student takes it, or does not.
    #[error("{0}")]
    NothingToDo(String),
}

/// Offer a course.
#[derive(Clone, Debug)]
pub struct Define {
    /// Which.
    pub course: String,
    /// Students it has room for.
    pub capacity: u32,
}

impl Decide for Define {
    type Model = Course;
    type Event = CourseEvent;
    type Error = Refusal;
    fn boundary(&self) -> String {
        self.course.clone()
    }
    fn decide(&self, course: &Course, _: &Context) -> Result<Events<CourseEvent>, Refusal> {
        let Self { course: name, capacity } = self.clone();
        match course.capacity {
            None => Ok(events![CourseDefined { course: name, capacity }]),
            Some(_) => Err(Refusal::CourseExists(name)),
        }
    }
}

/// Take a course. The rule looks at the course, at the student, and at the two together.
#[derive(Clone, Debug)]
pub struct Subscribe {
    /// Which.
    pub course: String,
    /// Who.
    pub student: String,
}

impl Decide for Subscribe {
    type Model = (Course, Load, Taken);
    type Event = CourseEvent;
    type Error = Refusal;
    fn boundary(&self) -> (String, String, (String, String)) {
        let Self { course, student } = self.clone();
        (course.clone(), student.clone(), (course, student))
    }
    fn decide(
        &self,
        (course, load, taken): &(Course, Load, Taken),
        _: &Context,
    ) -> Result<Events<CourseEvent>, Refusal> {
        let Self { course: name, student } = self.clone();
        let Some(capacity) = course.capacity else { return Err(Refusal::NoCourse(name)) };
        match () {
            () if taken.0 => Err(Refusal::NothingToDo(format!("{student} takes {name} already"))),
            () if capacity <= course.taken => Err(Refusal::Full(name)),
            () if COURSES_MAX <= load.0 => Err(Refusal::TooMany(student)),
            () => Ok(events![Subscribed { course: name, student }]),
        }
    }
}

/// Take a course no more: only the two together matter, so nobody else is in the way.
#[derive(Clone, Debug)]
pub struct Unsubscribe {
    /// Which.
    pub course: String,
    /// Who.
    pub student: String,
}

impl Decide for Unsubscribe {
    type Model = Taken;
    type Event = CourseEvent;
    type Error = Refusal;
    fn boundary(&self) -> (String, String) {
        (self.course.clone(), self.student.clone())
    }
    fn decide(&self, taken: &Taken, _: &Context) -> Result<Events<CourseEvent>, Refusal> {
        let Self { course, student } = self.clone();
        match taken.0 {
            true => Ok(events![Unsubscribed { course, student }]),
            false => Err(Refusal::NothingToDo(format!("{student} does not take {course}"))),
        }
    }
}

#[cfg(test)]
mod tests;
