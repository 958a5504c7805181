"""Artifacts in a directory of a local or mounted file system.

Layout, below the root of the store:

    jobs/12/…/run_4_results.zip                          the bytes of an object, and nothing else
    jobs/12/…/.artifacts/run_4_results.zip.VERSION.json  its description: type, metadata, SHA-256
    .artifacts/uploads/ID/                               uploads that are not finished
    .artifacts/locks/                                    lock files, one for many keys

VERSION is made of the time of modification and the size of the file with the bytes, so the file
itself says which description is its own. A write stores the description first, under the version
that the finished file has, and then gives the file its name by one rename. The rename switches
bytes and description at once: a process that is killed before it leaves a description that belongs
to no file, and a reader that finds a file never finds the description of another one. `cp -a` and
`rsync -a` keep versions, since they keep times.

Extended attributes would need no second file, but NFS servers before Linux 5.9, FAT and many
backups do not keep them. A header in the file would change the bytes that other programs read.
"""
