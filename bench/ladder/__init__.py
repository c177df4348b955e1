"""The ladder: corr2d beside its peers over kernel sizes, dtypes, image sizes and kinds of kernels."""
