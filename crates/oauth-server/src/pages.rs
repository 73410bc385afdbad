//! The pages people see: server-rendered, without script, each with its security headers.
//!
//! A page is a struct of borrowed facts; `respond` turns it into an answer. Every value is escaped by the
//! template engine, and what a stranger chose (a client's name, a host) also passes [`display`] first.

mod accent;
mod account;
mod brand;
mod device;
mod display;
mod end_session;
mod html;
mod logo;
mod notice;
mod portal;
mod response;
mod time_words;
mod view;

#[cfg(test)]
mod tests;

pub(crate) use account::{AccountPage, Connection, Entry, Standing};
pub use brand::{Brand, BrandError};
pub(crate) use device::{DeviceCodePage, DeviceConfirmPage, DevicePage};
pub(crate) use display::display_text;
pub(crate) use end_session::EndSessionPage;
pub(crate) use logo::logo;
pub(crate) use notice::NoticePage;
pub(crate) use portal::{PortalChoice, PortalPage, TokenPage};
pub(crate) use view::{
    ChooserPage, Client, ConsentPage, Destination, ErrorPage, Form, Provider, Scope, SignInPage,
};

/// The one stylesheet, inlined into every page and allowed by its hash.
const STYLE: &str = include_str!("../templates/style.css");
