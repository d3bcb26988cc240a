//! Navigating a file: its image's directions, the planes, and a copy of the file with the planes behind all it has.

use std::path::{Path, PathBuf};

use crate::exec::Exec;
use crate::formats::fits::{Data, FitsFile, Hdu, Header, Image, Kind, Writer};
use crate::model::DetectorMap;
use crate::nav::Kernels;
use crate::nav::planes::{self, Field};
use crate::pipeline::navigate::{Navigation, Options, Scene, is_plane, navigate};
use crate::store::cal::wcs_node;
use crate::wcs::{ExposureWcs, Gwcs};
use crate::{Error, Result};

/// Extension with the wavelengths that the surface sent.
const REST: &str = "WAVELENGTH_REST";

/// What to do with files.
pub struct Job<'a> {
    /// Kernels.
    pub kernels: &'a Kernels,
    /// What to make.
    pub options: &'a Options,
    /// Also the wavelength of every voxel as the surface sent it.
    pub rest_wavelength: bool,
    /// Makes the WCS of an exposure that carries none, from reference files.
    pub wcs: &'a (dyn Fn(&FitsFile, &Path) -> Result<Gwcs> + Sync),
}

/// Where the product of a file goes: `OUT/<stem>_nav.fits`.
#[must_use]
pub fn product_of(path: &Path, out: &Path) -> PathBuf {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let stem = name.trim_end_matches(".gz");
    let stem = stem
        .strip_suffix(".fits")
        .or(stem.strip_suffix(".fit"))
        .unwrap_or(stem);
    out.join(format!("{stem}_nav.fits"))
}

/// Navigates a file and writes its product.
///
/// # Errors
/// As [`navigate`]; [`Error::Input`] where the file has no image or the product would replace it; [`Error::Io`].
pub fn run(path: &Path, out: &Path, job: &Job, exec: &Exec) -> Result<Navigation> {
    let file = FitsFile::open(path)?;
    let product = product_of(path, out);
    if product
        .canonicalize()
        .is_ok_and(|p| path.canonicalize().is_ok_and(|q| p == q))
    {
        return Err(Error::input_file(
            path,
            "the product would replace its own input; choose another folder",
        ));
    }
    let image = image_of(&file, path)?;
    let made = image.scene(&file, path, job).and_then(|(scene, map)| {
        let (primary, sci) = (&file.hdus()[0].header, &file.hdus()[image.hdu].header);
        let done = navigate(&scene, primary, sci, job.kernels, job.options, exec)?;
        Ok((done, map))
    });
    let (done, map) = made.map_err(|e| e.with_path(path))?;
    let rest = match (job.rest_wavelength, &done.aspect) {
        (true, Some(_)) => Some(
            rest_wavelength(&file, &image, &done, map.as_ref()).map_err(|e| e.with_path(path))?,
        ),
        _ => None,
    };
    exec.check()?;
    write(&file, &product, &done, rest)?;
    Ok(done)
}

/// The image of a file.
pub(super) struct Target {
    pub(super) hdu: usize,
    pub(super) shape: Vec<usize>,
}

/// `SCI`, or the first image of two axes or more.
pub(super) fn image_of(file: &FitsFile, path: &Path) -> Result<Target> {
    let shape = |i: usize| match &file.hdus()[i].kind {
        Kind::Image { shape, .. } if shape.len() >= 2 => Some(shape.clone()),
        _ => None,
    };
    let sci = file.find("SCI").filter(|i| shape(*i).is_some());
    let hdu = sci.or_else(|| (0..file.hdus().len()).find(|i| shape(*i).is_some()));
    let found = hdu.and_then(|hdu| {
        Some(Target {
            hdu,
            shape: shape(hdu)?,
        })
    });
    found.ok_or_else(|| Error::input_file(path, "the file holds no image"))
}

impl Target {
    /// Directions of the pixels, and for an exposure with slices its map.
    fn scene(
        &self,
        file: &FitsFile,
        path: &Path,
        job: &Job,
    ) -> Result<(Scene, Option<DetectorMap>)> {
        let &[.., ny, nx] = &self.shape[..] else {
            return Err(Error::input("the file holds no image"));
        };
        let header = &file.hdus()[self.hdu].header;
        let exposure = file.hdus()[0].header.str("EXP_TYPE").unwrap_or_default();
        let sliced = self.shape.len() == 2 && matches!(exposure, "MIR_MRS" | "NRS_IFU");
        if !sliced {
            return Ok((Scene::of_image(header, ny, nx)?, None));
        }
        let wcs = match wcs_node(file, path)? {
            Some(node) => ExposureWcs::from_node(&node)?,
            None => ExposureWcs::from_node(&(job.wcs)(file, path)?.to_node()?)?,
        };
        let map = wcs.map(ny, nx)?;
        let scene = Scene {
            ny,
            nx,
            ra: map.ra.clone(),
            dec: map.dec.clone(),
        };
        Ok((scene, Some(map)))
    }
}

/// Wavelength over Doppler factor: a cube of `[wavelength][y][x]`, or for an exposure an image; NaN off the disc.
fn rest_wavelength(
    file: &FitsFile,
    image: &Target,
    done: &Navigation,
    map: Option<&DetectorMap>,
) -> Result<Hdu> {
    let Some(aspect) = &done.aspect else {
        return Err(Error::parameter(
            "basic navigation has no velocities to correct wavelengths by",
        ));
    };
    let field = Field::new(aspect, &done.directions[0], &done.directions[1]);
    let factor = (planes::find("DOPPLER")?.of)(&field);
    let values: Vec<f64> = match (map, &image.shape[..]) {
        (Some(map), _) => map.lambda.iter().zip(&factor).map(|(l, f)| l / f).collect(),
        (None, &[nz, _, _]) => {
            let wavelengths = wavelengths(file, image.hdu, nz)?;
            wavelengths
                .iter()
                .flat_map(|l| factor.iter().map(move |f| l / f))
                .collect()
        }
        _ => {
            return Err(Error::input(
                "an image without a spectral axis has no wavelengths to correct",
            ));
        }
    };
    let mut header = Header::new();
    header.set("EXTNAME", REST, "extension name");
    let unit = file.hdus()[image.hdu].header.str("CUNIT3").unwrap_or("um");
    header.set("BUNIT", unit, "physical units of the array values");
    header.set("ABOUT", "Wavelength as the surface sent it", "");
    Ok(Hdu {
        header,
        data: Data::Image(Image::new(&image.shape, values)),
    })
}

/// Wavelengths of a cube's planes, in the unit of `CUNIT3`.
pub(in crate::pipeline) fn wavelengths(file: &FitsFile, hdu: usize, nz: usize) -> Result<Vec<f64>> {
    let header = &file.hdus()[hdu].header;
    if header.str("CTYPE3").is_some_and(|t| t.trim() == "WAVE-TAB") {
        let table = file.find("WCS-TABLE").map(|i| file.table(i)).transpose()?;
        let values = table
            .and_then(|t| t.numbers("wavelength", 0))
            .filter(|v| v.len() == nz);
        return values.ok_or_else(|| {
            Error::input(format!(
                "CTYPE3 is WAVE-TAB and WCS-TABLE does not hold {nz} wavelengths"
            ))
        });
    }
    let step = header
        .f64("CD3_3")
        .or_else(|| Some(header.f64("CDELT3")? * header.f64("PC3_3").unwrap_or(1.0)));
    let (Some(step), Some(first)) = (step, header.f64("CRVAL3")) else {
        return Err(Error::input(
            "the cube's header has no wavelengths (CRVAL3 with CDELT3 or CD3_3)",
        ));
    };
    let reference = header.f64("CRPIX3").unwrap_or(1.0);
    Ok((0..nz)
        .map(|k| first + (k as f64 + 1.0 - reference) * step)
        .collect())
}

/// A copy of a file, HDU by HDU, without the planes it had, and with the new ones.
fn write(file: &FitsFile, product: &Path, done: &Navigation, rest: Option<Hdu>) -> Result<()> {
    let again = file.hdus()[0]
        .header
        .cards()
        .iter()
        .any(|c| c.keyword.starts_with("NAV "));
    let mut writer = Writer::create(product, false)?;
    for i in 0..file.hdus().len() {
        let mut hdu = file.hdu(i)?;
        let old = is_plane(&hdu, done.shape) || file.hdus()[i].name() == REST;
        if i > 0 && again && old {
            continue;
        }
        if i == 0 {
            let name = product
                .file_name()
                .map(|n| n.to_string_lossy().into_owned());
            if hdu.header.card("FILENAME").is_some() {
                hdu.header.set("FILENAME", name.unwrap_or_default(), "");
            }
            done.stamp(&mut hdu.header);
        }
        writer.hdu(&hdu)?;
    }
    for (plane, values) in &done.planes {
        writer.image::<f64>(&done.header(plane), &done.shape)?;
        writer.put(0, values)?;
    }
    if let Some(hdu) = &rest {
        writer.hdu(hdu)?;
    }
    writer.finish()
}
