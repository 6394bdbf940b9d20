# What Debian's policy wants beside what "install" installs: run by cpack on the staged tree, before it is packed.
# file(COPY), since file(INSTALL) would put DESTDIR, which cpack sets, in front once more.
set(root ${CPACK_TEMPORARY_INSTALL_DIRECTORY})
set(debian ${CPACK_AIOT_SOURCE}/packaging/debian)
set(doc ${root}/usr/share/doc/aiot)
set(readable FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)

file(COPY ${CPACK_AIOT_SOURCE}/packaging/aiot.toml DESTINATION ${root}/etc/aiot ${readable})
file(MAKE_DIRECTORY ${root}/var/lib/aiot)
file(COPY ${debian}/copyright DESTINATION ${doc} ${readable})
file(COPY ${debian}/changelog DESTINATION ${doc} ${readable})
file(RENAME ${doc}/changelog ${doc}/changelog.Debian)
file(RENAME ${doc}/CHANGELOG.md ${doc}/changelog)
file(REMOVE ${doc}/LICENSE)
file(COPY ${debian}/lintian-overrides DESTINATION ${root}/usr/share/lintian/overrides ${readable})
file(RENAME ${root}/usr/share/lintian/overrides/lintian-overrides ${root}/usr/share/lintian/overrides/aiot)

file(GLOB_RECURSE pages ${root}/usr/share/man/*)
execute_process(COMMAND gzip -9n ${doc}/changelog ${doc}/changelog.Debian ${pages} COMMAND_ERROR_IS_FATAL ANY)
