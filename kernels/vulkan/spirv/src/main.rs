//! Compiles the shaders of the folder given as its argument: NAME.comp becomes
//! NAME.spv beside it. `#include "FILE"` is replaced by the file's text, once each.

use glslang::{Compiler, CompilerOptions, ShaderInput, ShaderMessage, ShaderSource, ShaderStage, SourceLanguage, SpirvVersion, Target, VulkanVersion};
use std::collections::HashSet;
use std::error::Error;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args().nth(1).ok_or("usage: spirv FOLDER")?;
    let compiler = Compiler::acquire().ok_or("glslang does not start")?;
    let mut failed = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "comp") {
            if let Err(e) = compile(compiler, &path) {
                eprintln!("{}: {e}", path.display());
                failed.push(path);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("{} shaders failed", failed.len()).into()) }
}

fn compile(compiler: &Compiler, path: &Path) -> Result<(), Box<dyn Error>> {
    let source = ShaderSource::from(expand(path, &mut HashSet::new())?);
    let options = CompilerOptions {
        source_language: SourceLanguage::GLSL,
        target: Target::Vulkan { version: VulkanVersion::Vulkan1_3, spirv_version: SpirvVersion::SPIRV1_6 },
        version_profile: None,
        messages: ShaderMessage::DEFAULT,
    };
    let input = ShaderInput::new::<(&str, Option<&str>)>(&source, ShaderStage::Compute, &options, None, None)?;
    let shader = compiler.create_shader(input)?;
    let words = shader.compile()?;
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    fs::write(path.with_extension("spv"), bytes)?;
    Ok(())
}

fn expand(path: &Path, seen: &mut HashSet<String>) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    for line in fs::read_to_string(path)?.lines() {
        let Some(name) = line.strip_prefix("#include ") else {
            text += line;
            text.push('\n');
            continue;
        };
        let name = name.trim().trim_matches('"');
        if seen.insert(name.to_string()) {
            text += &expand(&path.with_file_name(name), seen)?;
        }
    }
    Ok(text)
}
