//! The same decision in other languages. Scripts get what a rule gets: functions that read the picture, and one that rings.
//!
//! None of them has a rule's limits, its isolation from other tenants, its journal, or a way to wait: their ring returns
//! at once.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, anyhow};
use callwright_core::names::UserId;
use callwright_core::rule::RingPlan;
use mlua::StdLib;
use rhai::{AST, Array, Dynamic, Scope};

use crate::native::{devices, dialled_user, label, leg, number, seconds};
use crate::{Decider, FRESH_LUA};

/// `follow-me` in Lua.
const LUA: &str = "
    local wait_s = number('mobile-after-s') or 10
    local legs = {}
    for index, device in ipairs(devices(dialled_user())) do
        local after_s = 0
        if label(device) == 'mobile' then after_s = wait_s end
        legs[index] = { to = device, after_s = after_s }
    end
    if ring(legs, wait_s + 20) ~= 'answered' then standard() end
";
/// `follow-me` in Rhai.
const RHAI: &str = "
    let wait_s = number(\"mobile-after-s\");
    let legs = [];
    for device in devices(dialled_user()) {
        let after_s = 0;
        if label(device) == \"mobile\" { after_s = wait_s; }
        legs.push(#{ to: device, after_s: after_s });
    }
    if ring(legs, wait_s + 20) != \"answered\" { standard(); }
";

/// Everybody here.
pub(crate) fn all() -> anyhow::Result<[Box<dyn Decider>; 3]> {
    Ok([Box::new(Lua::fresh()), Box::new(Lua::reused()?), Box::new(Script::new()?)])
}

/// What a script has rung.
type Rung = Arc<Mutex<Option<RingPlan>>>;

/// Lua 5.4 with its own standard library, in a VM a call or in one for all calls.
struct Lua {
    reused: Option<(mlua::Lua, mlua::Function)>,
    rung: Rung,
}

impl Lua {
    fn fresh() -> Self {
        Self { reused: None, rung: Rung::default() }
    }

    fn reused() -> anyhow::Result<Self> {
        let rung = Rung::default();
        Ok(Self { reused: Some(lua(&rung)?), rung })
    }
}

impl Decider for Lua {
    fn name(&self) -> &'static str {
        if self.reused.is_some() { "lua_reused_vm" } else { FRESH_LUA }
    }

    fn decide(&mut self) -> anyhow::Result<RingPlan> {
        match &self.reused {
            Some((_vm, script)) => script.call::<()>(()).map_err(|error| anyhow!("{error}"))?,
            None => lua(&self.rung)?.1.call::<()>(()).map_err(|error| anyhow!("{error}"))?,
        }
        taken(&self.rung)
    }
}

/// A VM with the host's functions, and the script compiled in it.
fn lua(rung: &Rung) -> anyhow::Result<(mlua::Lua, mlua::Function)> {
    make_lua(rung).map_err(|error| anyhow!("{error}"))
}

fn make_lua(rung: &Rung) -> mlua::Result<(mlua::Lua, mlua::Function)> {
    let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
    let vm = mlua::Lua::new_with(libraries, mlua::LuaOptions::default())?;
    let globals = vm.globals();
    globals.set("number", vm.create_function(|_, key: String| Ok(number(&key)))?)?;
    globals.set(
        "dialled_user",
        vm.create_function(|_, ()| Ok(dialled_user().map(|user| user.as_str().to_owned())))?,
    )?;
    globals.set("devices", vm.create_function(|_, user: String| Ok(devices(&UserId::from(user))))?)?;
    globals.set("label", vm.create_function(|_, device: String| Ok(label(&device)))?)?;
    let rings = Arc::clone(rung);
    let ring = vm.create_function(move |_, (legs, time_s): (Vec<mlua::Table>, i32)| {
        let mut plan = RingPlan { time: seconds(time_s), ..RingPlan::default() };
        for table in legs {
            plan.legs.push(leg(&table.get::<String>("to")?, table.get("after_s")?));
        }
        keep(&rings, plan);
        Ok("answered")
    })?;
    globals.set("ring", ring)?;
    globals.set("standard", vm.create_function(|_, ()| Ok(()))?)?;
    let script = vm.load(LUA).into_function()?;
    Ok((vm, script))
}

/// Rhai: the engine and the parsed script for all calls, variables for each.
struct Script {
    engine: rhai::Engine,
    script: AST,
    rung: Rung,
}

impl Script {
    fn new() -> anyhow::Result<Self> {
        let mut engine = rhai::Engine::new();
        let rung = Rung::default();
        engine.register_fn("number", |key: &str| i64::from(number(key).unwrap_or(10)));
        engine.register_fn("dialled_user", || {
            dialled_user().map(|user| user.as_str().to_owned()).unwrap_or_default()
        });
        engine.register_fn("devices", |user: &str| -> Array {
            devices(&UserId::from(user)).into_iter().map(Dynamic::from).collect()
        });
        engine.register_fn("label", |device: &str| label(device).unwrap_or_default());
        let rings = Arc::clone(&rung);
        engine.register_fn("ring", move |legs: Array, time_s: i64| {
            let mut plan = RingPlan { time: seconds(as_i32(time_s)), ..RingPlan::default() };
            for map in legs.into_iter().filter_map(|leg| leg.try_cast::<rhai::Map>()) {
                let to = map["to"].clone().into_string().unwrap_or_default();
                plan.legs.push(leg(&to, as_i32(map["after_s"].as_int().unwrap_or(0))));
            }
            keep(&rings, plan);
            "answered"
        });
        engine.register_fn("standard", || ());
        let script = engine.compile(RHAI)?;
        Ok(Self { engine, script, rung })
    }
}

impl Decider for Script {
    fn name(&self) -> &'static str {
        "rhai_reused_ast"
    }

    fn decide(&mut self) -> anyhow::Result<RingPlan> {
        let run = self.engine.run_ast_with_scope(&mut Scope::new(), &self.script);
        run.map_err(|error| anyhow!("{error}"))?;
        taken(&self.rung)
    }
}

fn keep(rung: &Rung, plan: RingPlan) {
    *rung.lock().unwrap_or_else(PoisonError::into_inner) = Some(plan);
}

fn taken(rung: &Rung) -> anyhow::Result<RingPlan> {
    rung.lock().unwrap_or_else(PoisonError::into_inner).take().context("the script does not ring")
}

fn as_i32(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(0)
}
