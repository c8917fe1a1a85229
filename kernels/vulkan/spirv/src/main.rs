//! Compiles the shaders of the folder given as its argument: NAME.comp becomes
//! NAME.spv beside it. `#include "FILE"` is replaced by the file's text, once each.
//! sources.fnv tells which sources those were.

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
    if !failed.is_empty() {
        return Err(format!("{} shaders failed", failed.len()).into());
    }
    Ok(fs::write(Path::new(&folder).join("sources.fnv"), format!("{:016x}\n", hash(&folder)?))?)
}

/// The sources' names and texts in order of the names, by FNV-1a (64 bits).
fn hash(folder: &str) -> Result<u64, Box<dyn Error>> {
    let mut paths: Vec<_> = fs::read_dir(folder)?.map(|e| Ok(e?.path())).collect::<Result<_, std::io::Error>>()?;
    paths.retain(|p| p.extension().is_some_and(|e| e == "comp" || e == "glsl"));
    paths.sort();
    let mut sum: u64 = 0xcbf29ce484222325;
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for byte in name.bytes().chain(fs::read(&path)?) {
            sum = (sum ^ u64::from(byte)).wrapping_mul(0x100000001b3);
        }
    }
    Ok(sum)
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
