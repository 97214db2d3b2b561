"""Measuring starts: fastbox beside its peers, and one version or image beside another.

`fastbox bench` is this package's command. Nothing else of fastbox imports it.
"""
