/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Error numbers of the hypervisor's interface.
 *
 * They are part of its ABI and do not depend on the system that the code is
 * compiled on, so they are spelled out here; on Linux the values are the same.
 * Operations return 0 or one of these, negated.
 */
#ifndef HYPERVISOR_XEN_ERRNO_H
#define HYPERVISOR_XEN_ERRNO_H

#define XEN_EPERM      1
#define XEN_ENOENT     2
#define XEN_ESRCH      3
#define XEN_EAGAIN     11
#define XEN_ENOMEM     12
#define XEN_EACCES     13
#define XEN_EFAULT     14
#define XEN_EBUSY      16
#define XEN_EEXIST     17
#define XEN_EINVAL     22
#define XEN_ENOSPC     28
#define XEN_ENOSYS     38
#define XEN_EUSERS     87
#define XEN_EOPNOTSUPP 95
#define XEN_ETIMEDOUT  110

#endif
