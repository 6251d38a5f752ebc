"""What GDAL may do in a worker: an allow-list of drivers, no side files, no network; imports nothing heavy.

GDAL itself is a way out of the sandbox of a job: a VRT text reads other files and fetches URLs, a TIFF tag names an
overview file elsewhere, a side file (`.aux.xml`, `.ovr`, `.msk`, a world file) silently changes what an image means.
GDAL reads these settings from the environment when it first registers its drivers, so they must be set before.
"""

from __future__ import annotations

ALLOWED_DRIVERS = ("GTiff", "COG", "ENVI", "JP2OpenJPEG", "PNG", "BMP", "MEM")

# Every other driver of the GDAL inside rasterio 1.5 (3.12), and those of other builds that refer to files or
# servers. GDAL ignores names that it does not know; a test walks the drivers of the GDAL at hand.
GDAL_SKIP = (
    "AAIGrid,ACE2,ADRG,AIG,AirSAR,AIVector,AmigoCloud,Arrow,AVCBin,AVCE00,BAG,BASISU,BIGGIF,BLX,"
    "BSB,BT,BYN,CAD,CALS,CARTO,CEOS,COASP,COSAR,CPG,CSV,CSW,CTable2,CTG,DAAS,DDS,DERIVED,DGN,"
    "DIMAP,DODS,DOQ1,DOQ2,DTED,DXF,ECRGTOC,ECW,EEDA,EEDAI,EHdr,EIR,ELAS,Elastic,ENVISAT,ERS,ESAT,"
    "ESRI Shapefile,ESRIC,ESRIJSON,EXR,FAST,FileGDB,FITS,FlatGeobuf,GDALG,GenBin,GeoJSON,GeoJSONSeq,"
    "GEORASTER,GeoRSS,GFF,GIF,GML,GMLAS,GNMDatabase,GNMFile,GPKG,GPSBabel,GPX,GRASSASCIIGrid,GRIB,"
    "GS7BG,GSAG,GSBG,GSC,GTI,GTX,GXF,HDF4,HDF4Image,HDF5,HDF5Image,HEIF,HF2,HFA,HTTP,ILWIS,IRIS,"
    "ISCE,ISG,ISIS2,ISIS3,JAXAPALSAR,JDEM,JML,JP2ECW,JP2KAK,JP2MrSID,JPEG,JPEGLS,JPEGXL,JPIPKAK,"
    "JXL,KEA,KML,KMLSUPEROVERLAY,KRO,KTX2,L1B,LAN,LCP,Leveller,LIBERTIFF,LIBKML,LOSLAS,MAP,MapML,"
    "MBTiles,MFF,MFF2,MiraMonRaster,MRF,MrSID,MSGN,MSSQLSpatial,MVT,MySQL,NDF,netCDF,"
    "NGSGEOID,NGW,NITF,NOAA_B,NSIDCbin,NTv2,NWT_GRC,NWT_GRD,OAPIF,ODBC,ODS,OGR_VRT,OpenFileGDB,OSM,"
    "Parquet,PAux,PCIDSK,PCRaster,PDF,PDS,PDS4,PGDUMP,PGEO,PLMOSAIC,PLSCENES,PNM,PostGISRaster,"
    "PostgreSQL,PRF,R,RASDAMAN,Rasterlite,RASTERLITE,RCM,RIK,RMF,ROI_PAC,RPFTOC,RRASTER,RS2,RST,"
    "S102,S104,S111,SAFE,SAGA,SAR_CEOS,Selafin,SENTINEL2,SIGDEM,SNAP_TIFF,SNODAS,SQLite,SRP,SRTMHGT,"
    "STACIT,STACTA,SXF,Terragen,TGA,TIL,TileDB,TopoJSON,TSX,USGSDEM,VDV,VICAR,VRT,WCS,WEBP,WFS,"
    "WMS,WMTS,XLS,XLSX,XODR,XYZ,Zarr,ZMap"
)
SKIPPED_DRIVERS = tuple(GDAL_SKIP.split(","))

# The value is a file name that no request has: GDAL then refuses every network address before connecting.
NO_ADDRESS = "network-is-off"

# Windows are read once, in the order of the blocks: a large cache would only hold memory (GDAL takes 5 % of it).
BLOCK_CACHE_MB = "128"


def session_options() -> dict[str, str]:
    """Return the GDAL options that hold for every opened image, whether or not the environment was prepared."""
    return {
        "GDAL_PAM_ENABLED": "NO",
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "GDAL_GEOREF_SOURCES": "INTERNAL",
        "CPL_VSIL_CURL_ALLOWED_FILENAME": NO_ADDRESS,
    }


def gdal_environment() -> dict[str, str]:
    """Return the environment variables of a process that opens files of users; set them before GDAL is used."""
    return {
        **session_options(),
        "GDAL_SKIP": GDAL_SKIP,
        "GDAL_CACHEMAX": BLOCK_CACHE_MB,  # rasterio takes it as a number only, the environment as MB
        "GDAL_DRIVER_PATH": "disable",
        "GDAL_NUM_THREADS": "ALL_CPUS",
        "GDAL_VRT_ENABLE_PYTHON": "NO",
        "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO",
        # a proxy that refuses at once, should anything ever get past the allowed file name
        "GDAL_HTTP_PROXY": "http://127.0.0.1:9",
        "GDAL_HTTPS_PROXY": "http://127.0.0.1:9",
        "GDAL_HTTP_MAX_RETRY": "0",
        "GDAL_HTTP_CONNECTTIMEOUT": "1",
        "PROJ_NETWORK": "OFF",
    }
